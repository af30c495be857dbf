//! An unsafe recovery in stages: the messages between PD and the stores.
//!
//! A store's heartbeat carries its report on the plan. The response carries the next plan; `reply`
//! decides whether it arrives.

use rollcall_impl::pd::{PdInput, PdOutput};
use rollcall_impl::{Guards, Input, Output, RecoveryPlan, Replica, StoreReport};
use rollcall_traces::{Held, Reason, RecoveryStage, RegionId, Reply, Returned, StoreId};

use super::{Waiting, World, convert};

/// PD's answer to a heartbeat during a recovery.
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
    /// A store's heartbeat with its report; the store receives its next plan.
    pub(super) fn store_heartbeat(&mut self, store: StoreId, reply: Reply) -> Result<Returned, Reason> {
        let node = self.up(store)?;
        let carries_out =
            self.nodes[node].store.as_ref().is_some_and(|store| store.recovery_plan().is_some());
        if carries_out {
            // A store whose heartbeat PD refuses must not have done anything.
            self.rehearse(node, store)?;
        }
        let report =
            if carries_out { report(self.step_store(node, Input::StoreHeartbeat, &[])?) } else { None };
        let heartbeat = self.pd.heartbeat(store, report)?;
        let response = HeartbeatResponse::of(self.step_pd(heartbeat)?);
        let returned = response.returned();
        match (response.plan, reply) {
            // If the plan is ignored, the response to the next heartbeat repeats it.
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

    /// Tries it on copies: whether PD would take the heartbeat.
    fn rehearse(&self, node: usize, store: StoreId) -> Result<(), Reason> {
        let stored = self.nodes[node].store.as_ref().expect("a running store is there");
        let outputs = (**stored).clone().step(Input::StoreHeartbeat);
        let heartbeat = self.pd.heartbeat(store, report(outputs.expect("a store may report")))?;
        self.pd.clone().step(heartbeat).map(drop)
    }

    /// Holds the store's heartbeat with its report as a late message.
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

    /// PD takes the late report. Its response is lost.
    pub(super) fn take_late_store_report(
        &mut self,
        store: StoreId,
        report: StoreReport,
    ) -> Result<Returned, Reason> {
        let heartbeat = self.pd.heartbeat(store, Some(report))?;
        Ok(HeartbeatResponse::of(self.step_pd(heartbeat)?).returned())
    }

    /// Gives a plan to this store.
    pub(super) fn take_plan(&mut self, node: usize, plan: RecoveryPlan) -> Result<(), Reason> {
        for region in plan.demotes.keys() {
            self.report_inactive(node, *region)?;
        }
        let created: Vec<RegionId> = plan.creates.iter().map(|region| region.id).collect();
        self.step_store(node, Input::RecoveryPlan(plan), &created).map(drop)
    }

    /// A step of this whole store, which may create peers of those regions.
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

    /// The recovery times out.
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
