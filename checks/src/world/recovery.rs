//! An unsafe recovery in stages: what goes between PD and the stores.
//!
//! A store's heartbeat carries what it has done for its plan, and the answer the next
//! plan, which has the fate of an answer.

use rollcall_impl::pd::{PdInput, PdOutput};
use rollcall_impl::{Guards, Input, Output, RecoveryPlan, Replica, StoreReport};
use rollcall_traces::{Held, Reason, RecoveryStage, RegionId, Reply, Returned, StoreId};

use super::{Waiting, World, convert};

/// What PD makes of a heartbeat for its recovery.
struct HeartbeatResponse {
    entered: Option<RecoveryStage>,
    plan: Option<RecoveryPlan>,
}

impl HeartbeatResponse {
    fn of(outputs: Vec<PdOutput>) -> Self {
        let mut response = Self { entered: None, plan: None };
        for output in outputs {
            match output {
                PdOutput::RecoveryStage(stage) => response.entered = Some(convert::recovery::stage(stage)),
                PdOutput::RecoveryPlan { plan, .. } => response.plan = Some(plan),
                _ => {}
            }
        }
        response
    }

    fn returned(&self) -> Returned {
        self.entered.map_or(Returned::Nothing, Returned::Entered)
    }
}

impl<G: Guards, R: Replica> World<G, R> {
    /// A store says that it lives, with what it has done, and receives its next plan.
    pub(super) fn store_heartbeat(&mut self, store: StoreId, reply: Reply) -> Result<Returned, Reason> {
        let node = self.up(store)?;
        let carries_out =
            self.nodes[node].store.as_ref().is_some_and(|store| store.recovery_plan().is_some());
        if carries_out {
            // Who is not heard has done nothing.
            self.rehearse(node, store)?;
        }
        let report =
            if carries_out { report(self.step_store(node, Input::StoreHeartbeat, &[])?) } else { None };
        let heartbeat = self.pd.heartbeat(store, report)?;
        let response = HeartbeatResponse::of(self.step_pd(heartbeat)?);
        let returned = response.returned();
        match (response.plan, reply) {
            // What is passed over the next heartbeat asks for again.
            (Some(plan), Reply::Delivered) => drop(self.take_plan(node, plan)),
            (Some(plan), Reply::Delayed) => {
                self.held.push(Held::recovery_plan(store, convert::recovery::plan(&plan)));
                self.messages.push(Waiting::RecoveryPlan(store, Box::new(plan)));
                self.changed = true;
            }
            (_, Reply::Dropped) | (None, _) => {}
        }
        Ok(returned)
    }

    /// The same on copies: whether it would be heard.
    fn rehearse(&self, node: usize, store: StoreId) -> Result<(), Reason> {
        let stored = self.nodes[node].store.as_ref().expect("a running store is there");
        let outputs = (**stored).clone().step(Input::StoreHeartbeat);
        let heartbeat = self.pd.heartbeat(store, report(outputs.expect("a store may report")))?;
        self.pd.clone().step(heartbeat).map(drop)
    }

    /// The heartbeat with what the store has done is under way.
    pub(super) fn hold_store_report(
        &mut self,
        region: RegionId,
        from: StoreId,
        to: StoreId,
    ) -> Result<(), Reason> {
        let node = self.up(from)?;
        if region != 0 || to != 0 {
            return Err(Reason::NotInConfig);
        }
        if self.nodes[node].store.as_ref().is_none_or(|store| store.recovery_plan().is_none()) {
            return Err(Reason::NothingToDo);
        }
        let done = report(self.step_store(node, Input::StoreHeartbeat, &[])?).ok_or(Reason::NothingToDo)?;
        self.held.push(convert::recovery::held_report(from, &done));
        self.messages.push(Waiting::StoreReport(from, Box::new(done)));
        self.changed = true;
        Ok(())
    }

    /// It reaches PD; whoever waited for the answer is gone.
    pub(super) fn take_late_store_report(
        &mut self,
        store: StoreId,
        report: StoreReport,
    ) -> Result<Returned, Reason> {
        let heartbeat = self.pd.heartbeat(store, Some(report))?;
        Ok(HeartbeatResponse::of(self.step_pd(heartbeat)?).returned())
    }

    /// The store in that place is given a plan.
    pub(super) fn take_plan(&mut self, node: usize, plan: RecoveryPlan) -> Result<(), Reason> {
        for region in plan.demotes.keys() {
            self.report_inactive(node, *region)?;
        }
        let created: Vec<RegionId> = plan.creates.iter().map(|region| region.id).collect();
        self.step_store(node, Input::RecoveryPlan(plan), &created).map(drop)
    }

    /// A step of the whole store in that place, which may bring it those regions.
    fn step_store(&mut self, node: usize, input: Input, created: &[RegionId]) -> Result<Vec<Output>, Reason> {
        let stored = self.nodes[node].store.as_ref().expect("a running store is there");
        let before = stored.recovery_plan();
        let regions: Vec<RegionId> = stored.regions().chain(created.iter().copied()).collect();
        for region in regions {
            self.touch(node, region);
        }
        let outputs = self.step(node, 0, input)?;
        let now = self.nodes[node].store.as_ref().and_then(|store| store.recovery_plan());
        self.changed |= now != before;
        Ok(outputs)
    }

    /// The recovery is given up.
    pub(super) fn recovery_timeout(&mut self) -> Result<Returned, Reason> {
        Ok(HeartbeatResponse::of(self.step_pd(PdInput::RecoveryTimeout)?).returned())
    }
}

fn report(outputs: Vec<Output>) -> Option<StoreReport> {
    outputs.into_iter().find_map(|output| match output {
        Output::StoreReport(report) => Some(report),
        _ => None,
    })
}
