//! The placement driver from outside: what it believes, orders and refuses.

mod admin;
mod checker;
mod cluster;
mod operator;
mod regions;
mod restart;
mod store;
