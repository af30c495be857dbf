// Package errorpb stands in for the course's messages.
package errorpb

type Error struct{ Message string }

func (e *Error) String() string { return e.Message }
