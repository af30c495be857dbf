//! How states are stored: each as a row of 32-bit numbers, one row after another.
//!
//! A model's state may be larger than what identifies it within one scope. A row has exactly what
//! identifies it, so equal rows are equal states. Rows are what is hashed, compared, stored and
//! written to a journal.

use std::hash::Hash;
use std::marker::PhantomData;

/// A state that can be stored as a row.
pub trait Row: Clone + Hash + Eq {
    /// The numbers in its row; equal for every state of one model.
    fn width(&self) -> usize;

    /// Writes it into a row of that width. Two rows are equal exactly if the states are.
    fn write(&self, row: &mut [u32]);

    /// Reads a state back from its row.
    fn read(row: &[u32]) -> Self;
}

/// The rows in a page.
const PAGE: usize = 1 << 12;

/// Rows of one width by index, in pages. A page never moves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    width: usize,
    /// All pages but the last are full.
    pages: Vec<Vec<u32>>,
}

impl Rows {
    pub(super) fn new(width: usize) -> Self {
        Rows { width, pages: Vec::new() }
    }

    /// The number of rows.
    pub(super) fn len(&self) -> usize {
        let last = self.pages.last().map_or(0, |page| page.len() / self.width);
        self.pages.len().saturating_sub(1) * PAGE + last
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// The row with this index.
    pub(super) fn row(&self, index: usize) -> &[u32] {
        row(&self.pages[index / PAGE], self.width, index % PAGE)
    }

    /// All of them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u32]> {
        self.pages.iter().flat_map(|page| page.chunks_exact(self.width))
    }

    pub(super) fn push(&mut self, row: &[u32]) {
        let full = PAGE * self.width;
        match self.pages.last_mut() {
            Some(page) if page.len() < full => page.extend_from_slice(row),
            _ => self.pages.push(page_of(row, full)),
        }
    }

    /// Splits off the rows from this index on. Push nothing here until they come back
    /// ([`Beyond::move_to`]), which would overwrite it.
    pub(super) fn split_off(&mut self, at: usize) -> Beyond {
        let mut beyond = Beyond { begin: at / PAGE * PAGE, rows: Rows::new(self.width) };
        beyond.rows.pages = self.pages.split_off((at / PAGE).min(self.pages.len()));
        if at > beyond.begin {
            let known = &beyond.rows.pages[0][..(at - beyond.begin) * self.width];
            self.pages.push(page_of(known, known.len()));
            // The page may be the copy.
            let page = &mut beyond.rows.pages[0];
            page.reserve_exact(PAGE * self.width - page.len());
        }
        beyond
    }

    /// Frees the pages that lie wholly before this index; their rows are not to be asked for again.
    pub(super) fn release(&mut self, before: usize) {
        let pages = self.pages.iter_mut().take(before / PAGE).rev();
        pages.take_while(|page| page.capacity() > 0).for_each(|page| *page = Vec::new());
    }

    /// The bytes of all pages, including unused space.
    pub(super) fn bytes(&self) -> u64 {
        (self.pages.len() * PAGE * self.width * 4) as u64
    }
}

fn page_of(rows: &[u32], capacity: usize) -> Vec<u32> {
    let mut page = Vec::with_capacity(capacity);
    page.extend_from_slice(rows);
    page
}

/// The rows after the known ones, while those are read. The known rows on the last page are here a
/// second time.
pub(crate) struct Beyond {
    /// The index of the first row here.
    begin: usize,
    rows: Rows,
}

impl Beyond {
    /// All these rows; none is known.
    pub(super) fn of(rows: Rows) -> Self {
        Beyond { begin: 0, rows }
    }

    /// The index after the last row.
    pub(super) fn end(&self) -> usize {
        self.begin + self.rows.len()
    }

    /// The row with this index, from here or from the known ones.
    pub(super) fn row<'a>(&'a self, known: &'a Rows, index: usize) -> &'a [u32] {
        match index.checked_sub(self.begin) {
            Some(index) => self.rows.row(index),
            None => known.row(index),
        }
    }

    pub(super) fn push(&mut self, row: &[u32]) {
        self.rows.push(row);
    }

    /// Moves all rows to the known ones.
    pub(super) fn move_to(&mut self, known: &mut Rows) {
        known.pages.truncate(self.begin / PAGE);
        known.pages.append(&mut self.rows.pages);
        let last = known.pages.pop_if(|page| page.len() < PAGE * known.width);
        self.begin = known.pages.len() * PAGE;
        if let Some(page) = last {
            known.pages.push(page_of(&page, page.len()));
            self.rows.pages.push(page);
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.rows.bytes()
    }
}

/// States by index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct States<S> {
    rows: Rows,
    state: PhantomData<S>,
}

impl<S> States<S> {
    pub(super) fn new(rows: Rows) -> Self {
        States { rows, state: PhantomData }
    }

    #[cfg(test)]
    pub(super) fn pop(&mut self) {
        let last = self.len() - 1;
        self.rows.split_off(last);
    }

    /// The number of states.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl<S: Row> States<S> {
    /// The state with this index.
    ///
    /// # Panics
    /// If there is none.
    pub fn get(&self, index: u32) -> S {
        S::read(self.rows.row(index as usize))
    }

    /// All states, in breadth-first order.
    pub fn iter(&self) -> impl Iterator<Item = S> + '_ {
        self.rows.iter().map(S::read)
    }
}

/// The row with this index in contiguous rows.
pub(super) fn row(words: &[u32], width: usize, index: usize) -> &[u32] {
    &words[index * width..(index + 1) * width]
}

/// Appends the state's row.
pub(super) fn push<S: Row>(words: &mut Vec<u32>, width: usize, state: &S) {
    let begin = words.len();
    words.resize(begin + width, 0);
    state.write(&mut words[begin..]);
}

/// A state of the rules. Its width is the number of the scope's stores plus two.
impl Row for rollcall_model::State {
    fn width(&self) -> usize {
        self.row_width()
    }

    fn write(&self, row: &mut [u32]) {
        self.write_row(row);
    }

    fn read(row: &[u32]) -> Self {
        Self::read_row(row)
    }
}

/// Bytes, four in a number.
impl<const N: usize> Row for [u8; N] {
    fn width(&self) -> usize {
        N.div_ceil(4)
    }

    fn write(&self, row: &mut [u32]) {
        for (word, bytes) in row.iter_mut().zip(self.chunks(4)) {
            let mut padded = [0; 4];
            padded[..bytes.len()].copy_from_slice(bytes);
            *word = u32::from_le_bytes(padded);
        }
    }

    fn read(row: &[u32]) -> Self {
        let mut state = [0; N];
        for (bytes, word) in state.chunks_mut(4).zip(row) {
            bytes.copy_from_slice(&word.to_le_bytes()[..bytes.len()]);
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_whatever_their_number() {
        let state = [1, 2, 3, 4, 5, 250];
        let mut words = vec![7];
        push(&mut words, state.width(), &state);
        assert_eq!(words.len(), 3);
        assert_eq!(<[u8; 6]>::read(&words[1..]), state);
        let mut rows = Rows::new(2);
        rows.push(&words[1..]);
        let states = States::<[u8; 6]>::new(rows);
        assert_eq!((states.len(), states.get(0)), (1, state));
    }

    /// A row keeps its index when a level becomes known, wherever a page ends and wherever rows are
    /// split off again.
    #[test]
    fn every_row_keeps_its_index_from_page_to_page() {
        let nth = |n: usize| [n as u32, 7 * n as u32];
        let (mut known, mut beyond) = (Rows::new(2), Beyond::of(Rows::new(2)));
        for end in [1, 5, PAGE, PAGE + 1, 3 * PAGE - 1, 3 * PAGE, 5 * PAGE + 9] {
            (beyond.end()..end).for_each(|n| beyond.push(&nth(n)));
            assert_eq!(beyond.end(), end);
            assert!((0..end).all(|n| beyond.row(&known, n) == nth(n)));
            beyond.move_to(&mut known);
            assert_eq!((known.len(), beyond.end()), (end, end));
            assert!((0..end).all(|n| known.row(n) == nth(n) && beyond.row(&known, n) == nth(n)));
            assert!(known.iter().enumerate().all(|(n, row)| row == nth(n)));
        }
        for at in [5 * PAGE + 9, 5 * PAGE + 8, 4 * PAGE, PAGE + 3, PAGE, 2, 0] {
            let (mut known, all) = (known.clone(), known.len());
            let mut beyond = known.split_off(at);
            assert_eq!((known.len(), beyond.end()), (at, all));
            assert!((0..all).all(|n| beyond.row(&known, n) == nth(n)));
            beyond.move_to(&mut known);
            assert_eq!(known.len(), all);
            assert!(known.iter().enumerate().all(|(n, row)| row == nth(n)));
        }
    }
}
