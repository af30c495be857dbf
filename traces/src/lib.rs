//! The shared dictionary of Rollcall.
//!
//! An [`Action`] is anything that can happen, a [`View`] is everything that can be seen, and an
//! [`Outcome`] is the result of an action. A trace is a list of actions, each with its outcome and
//! the view after it. The model and the implementation do not know each other. Both use this
//! dictionary, so one trace drives either of them and one comparison serves both directions.

mod action;
mod budgets;
mod cluster;
mod command;
mod diff;
mod divergence;
mod expect;
mod file;
mod history;
mod log;
mod message;
mod outcome;
mod pd;
mod pd_ctl;
mod peer;
mod record;
mod recovery;
mod region;
pub mod render;
mod replay;
mod round;
mod run;
mod scenario;
mod schema;
mod scope;
mod scope_builder;
mod shrink;
mod subject;
mod touched;
mod view;
mod words;

pub use action::Action;
pub use budgets::{Budget, Budgets};
pub use cluster::Cluster;
pub use command::{Change, ChangeKind, Child, Command, Derive};
pub use diff::{Difference, differences};
pub use divergence::{Divergence, GuardNote, PlaceNote, Sides};
pub use expect::{
    Expect, ExpectEpoch, ExpectKnownRegion, ExpectKnownStore, ExpectOperator, ExpectPd, ExpectPeer,
    ExpectRegion, ExpectState, PlannedStep,
};
pub use file::{
    ALL_PROPERTIES, FILE_LIMIT, FilePosition, FileWriter, Header, Input, LINE_LIMIT, NUMBER_LIMIT, Reader,
    Record, SCHEMA, Settle, SettleLine, Step, Trace, TraceError, Verdict, VerdictResult, Writer,
};
pub use history::{
    Acknowledged, Breach, Claimant, ClusterSummary, Committed, Destroyed, Extent, History, HistoryChange,
    HistoryParts, KeyWrites, PartFault, PeerSummary, PendingRead, RangeClaim, RegionHistory, Remaining,
    Winner, Write,
};
pub use log::{Entry, Log, LogPosition};
pub use message::{Held, Message};
pub use outcome::{Outcome, Reason, Returned};
pub use pd::{
    AdminOperator, KnownRegion, KnownStore, Liveness, Operator, OperatorStep, Order, PlacementDriver,
    Purpose, Seat, StoreState, WaitingOperator,
};
pub use peer::{
    Campaign, Creator, Durable, Leading, MergeState, Peer, PeerState, Read, Role, Snapshot, StaleCheck,
    Transfer,
};
pub use record::{RecordError, Recorder, record, record_again, record_to_file};
pub use recovery::{
    ForceLeader, ForceLeaders, PeerRecovery, PeerReport, PlanUnderWay, Recovery, RecoveryPlan, RecoveryStage,
};
pub use region::{Epoch, Key, KeyRange, Member, MemberRole, PeerId, Region, RegionId, StoreId, Value};
pub use replay::{ReplayError, Replayed, Replayer, StepPlace, replay, replay_file};
pub use round::{Authority, Entries, Outgoing, Reply};
pub use run::{
    Book, Event, Facts, Happening, LogFacts, Parameters, PeerFacts, RUN_SCHEMA, Run, RunHeader, Sent,
    SplitSizes, factual,
};
pub use scenario::Scenario;
pub use schema::{ActionForm, actions, commands, schema};
pub use scope::{ChildCommand, Scope, ScopeError, SplitKeys};
pub use scope_builder::ScopeBuilder;
pub use shrink::shrink;
pub use subject::{Healed, Settler, Subject};
pub use touched::Touched;
pub use view::{RangeEntry, Store, StoreStatus, View};
pub use words::{Chinese, DifferenceWords, Language, difference_in};
