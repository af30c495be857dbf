module github.com/Connor1996/badger

go 1.16
