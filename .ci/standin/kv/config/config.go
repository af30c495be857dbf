// Package config stands in for the course's.
package config

type Config struct {
	DBPath                                       string
	RaftHeartbeatTicks, RaftElectionTimeoutTicks int
}

func NewTestConfig() *Config { return &Config{RaftHeartbeatTicks: 2, RaftElectionTimeoutTicks: 10} }
