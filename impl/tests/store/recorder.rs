//! An engine that records every state that a crash could leave.

use std::cell::RefCell;
use std::rc::Rc;

use rollcall_impl::{Engine, EngineError, MemoryEngine, Persisted, RegionId, Write};

/// The disk after every sync, oldest first.
pub(crate) type Synced = Rc<RefCell<Vec<MemoryEngine>>>;

/// An engine that keeps a copy of the disk after every sync.
pub(crate) struct Recorder {
    disk: MemoryEngine,
    synced: Synced,
}

impl Recorder {
    /// Starts recording.
    pub(crate) fn new(disk: MemoryEngine) -> (Self, Synced) {
        let synced = Synced::default();
        (Self { disk, synced: Rc::clone(&synced) }, synced)
    }
}

impl Engine for Recorder {
    fn write(&mut self, batch: Vec<Write>) -> Result<(), EngineError> {
        self.disk.write(batch)
    }

    fn sync(&mut self) -> Result<(), EngineError> {
        self.disk.sync()?;
        self.synced.borrow_mut().push(self.disk.clone());
        Ok(())
    }

    fn regions(&self) -> Result<Vec<RegionId>, EngineError> {
        self.disk.regions()
    }

    fn load(&self, region: RegionId) -> Result<Option<Persisted>, EngineError> {
        self.disk.load(region)
    }
}
