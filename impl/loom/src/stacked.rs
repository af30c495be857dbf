//! A store whose steps run on a stack of their own, because loom's threads have 32 KiB each.

use std::ops::Deref;
use std::thread;

use rollcall_impl::{Config, Effects, Error, Guards, Input, MemoryEngine, Output, RaftRs, Replica, Ticket};

/// Runs the closure on a thread outside of loom.
pub(crate) fn on_a_large_stack<T: Send>(happens: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(happens).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// A [`rollcall_impl::Store`].
pub(crate) struct Store<G: Guards, R: Replica = RaftRs>(rollcall_impl::Store<G, R>);

impl<G: Guards + Send + Sync> Store<G> {
    /// A leader sends before it has written, and counts its own entries once they are durable. That
    /// relies on the order of tickets.
    pub(crate) fn open(id: u64, guards: G, engine: &MemoryEngine) -> Self {
        let config = Config { early_appends: true, ..Config::SIMULATOR };
        let open = || rollcall_impl::Store::open(id, config, guards, engine);
        Self(on_a_large_stack(open).expect("its disk can be read"))
    }
}

impl<G: Guards + Send, R: Replica + Send> Store<G, R>
where
    R::Maker: Send,
{
    pub(crate) fn step(&mut self, input: Input) -> Result<Effects, Error> {
        on_a_large_stack(|| self.0.step(input))
    }

    pub(crate) fn abandon_requests(&mut self) -> Vec<Output> {
        on_a_large_stack(|| self.0.abandon_requests())
    }

    pub(crate) fn persisted(&mut self, ticket: Ticket) -> Result<Effects, Error> {
        on_a_large_stack(|| self.0.persisted(ticket))
    }
}

impl<G: Guards, R: Replica> Deref for Store<G, R> {
    type Target = rollcall_impl::Store<G, R>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
