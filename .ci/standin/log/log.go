// Package log stands in for the course's: nothing is printed.
package log

type LogLevel int

const LOG_LEVEL_FATAL LogLevel = 1

func SetLevel(LogLevel) {}
