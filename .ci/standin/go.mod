module github.com/pingcap-incubator/tinykv

go 1.18
