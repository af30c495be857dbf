//! How states are kept: each as a row of 32-bit numbers, one row behind the other.
//!
//! A model's state may be roomier than what tells it apart within one scope. The
//! rows hold exactly that, so equal rows are equal states, and rows are what is
//! hashed, compared, kept and written to a journal.

use std::hash::Hash;
use std::marker::PhantomData;

/// A state that can be kept as a row.
pub trait Row: Clone + Hash + Eq {
    /// How many numbers its row has: as many for every state of one model.
    fn width(&self) -> usize;

    /// Writes it into a row of that width. Rows are equal where states are, and only there.
    fn write(&self, row: &mut [u32]);

    /// The state that was written.
    fn read(row: &[u32]) -> Self;
}

/// States by their index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct States<S> {
    width: usize,
    words: Vec<u32>,
    state: PhantomData<S>,
}

impl<S> States<S> {
    pub(super) fn new(width: usize, words: Vec<u32>) -> Self {
        States { width, words, state: PhantomData }
    }

    #[cfg(test)]
    pub(super) fn pop(&mut self) {
        self.words.truncate(self.words.len() - self.width);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.words.len() / self.width
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}

impl<S: Row> States<S> {
    /// The state with this index.
    ///
    /// # Panics
    /// If there is none.
    pub fn get(&self, index: u32) -> S {
        S::read(row(&self.words, self.width, index as usize))
    }

    /// All of them, in breadth-first order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = S> + '_ {
        self.words.chunks_exact(self.width).map(S::read)
    }
}

/// The row with this index.
pub(super) fn row(words: &[u32], width: usize, index: usize) -> &[u32] {
    &words[index * width..(index + 1) * width]
}

/// Writes the state's row behind the others.
pub(super) fn push<S: Row>(words: &mut Vec<u32>, width: usize, state: &S) {
    let begin = words.len();
    words.resize(begin + width, 0);
    state.write(&mut words[begin..]);
}

/// A state of the rules, as wide as its scope has stores and two more.
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

/// Bytes, four to a number.
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
        let states = States::<[u8; 6]>::new(2, words[1..].to_vec());
        assert_eq!((states.len(), states.get(0)), (1, state));
    }
}
