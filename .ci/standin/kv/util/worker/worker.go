// Package worker stands in for the course's.
package worker

type Task interface{}
