module github.com/pingcap-incubator/tinykv

go 1.16

require github.com/Connor1996/badger v0.0.0

replace github.com/Connor1996/badger => ./badger
