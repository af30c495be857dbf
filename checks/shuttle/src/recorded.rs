//! A store that records each of its steps. A running store takes them within its critical section,
//! so they are recorded in their order.

use std::ops::Deref;
use std::sync::Arc;

use rollcall_checks::recorder::Recorder;
use rollcall_impl::{Effects, Error, Guards, Input, Output, RaftRs, Replica, Ticket};

/// A [`rollcall_impl::Store`].
pub(crate) struct Store<G: Guards, R: Replica = RaftRs> {
    inner: rollcall_impl::Store<G, R>,
    recorder: Arc<Recorder>,
}

impl<G: Guards, R: Replica> Store<G, R> {
    pub(crate) fn new(inner: rollcall_impl::Store<G, R>, recorder: &Arc<Recorder>) -> Self {
        Self { inner, recorder: Arc::clone(recorder) }
    }

    pub(crate) fn step(&mut self, input: Input) -> Result<Effects, Error> {
        let asked = self.recorder.asked(self.inner.id(), &input);
        let result = self.inner.step(input);
        self.recorder.stepped(&self.inner, asked, result.as_ref());
        result
    }

    pub(crate) fn persisted(&mut self, ticket: Ticket) -> Result<Effects, Error> {
        self.recorder.durable(self.inner.id(), ticket);
        let effects = self.inner.persisted(ticket)?;
        assert!(effects.is_empty(), "nothing waits for the disk but outputs");
        Ok(effects)
    }

    pub(crate) fn abandon_requests(&mut self) -> Vec<Output> {
        self.inner.abandon_requests()
    }
}

impl<G: Guards, R: Replica> Deref for Store<G, R> {
    type Target = rollcall_impl::Store<G, R>;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}
