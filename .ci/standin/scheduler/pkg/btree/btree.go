// Package btree stands in for the course's: an ordered list.
package btree

import "sort"

type Item interface{ Less(than Item) bool }

type BTree struct{ items []Item }

func New(int) *BTree { return &BTree{} }

// at is the place of the first item that is not less.
func (t *BTree) at(item Item) (int, bool) {
	i := sort.Search(len(t.items), func(i int) bool { return !t.items[i].Less(item) })
	return i, i < len(t.items) && !item.Less(t.items[i])
}

func (t *BTree) ReplaceOrInsert(item Item) Item {
	i, is := t.at(item)
	if is {
		t.items[i] = item
		return item
	}
	t.items = append(t.items[:i], append([]Item{item}, t.items[i:]...)...)
	return nil
}

func (t *BTree) Delete(item Item) Item {
	i, is := t.at(item)
	if !is {
		return nil
	}
	gone := t.items[i]
	t.items = append(t.items[:i], t.items[i+1:]...)
	return gone
}

func (t *BTree) Ascend(each func(Item) bool) {
	for _, item := range t.items {
		if !each(item) {
			return
		}
	}
}
