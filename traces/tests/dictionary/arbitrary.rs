//! Strategies for everything in the dictionary, without regard to what can happen.

mod pd;

pub(crate) use pd::purpose;
use pd::{pd, peer_report, recovery_plan};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use rollcall_traces::*;

pub(crate) fn number() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..10_u64, 1 => 0..NUMBER_LIMIT]
}

pub(crate) fn key() -> impl Strategy<Value = Key> {
    vec(any::<u8>(), 0..5).prop_map(|bytes| Key::from(bytes.as_slice()))
}

fn epoch() -> impl Strategy<Value = Epoch> {
    (number(), number()).prop_map(|(conf_ver, version)| Epoch { conf_ver, version })
}

fn position() -> impl Strategy<Value = LogPosition> {
    (number(), number()).prop_map(|(index, term)| LogPosition { index, term })
}

fn change() -> impl Strategy<Value = Change> {
    let kind = select(vec![ChangeKind::AddVoter, ChangeKind::AddLearner, ChangeKind::Remove]);
    let id = prop_oneof![4 => 1..10_u64, 1 => 1..NUMBER_LIMIT];
    (kind, id, number()).prop_map(|(kind, peer, store)| Change { kind, peer, store })
}

fn child() -> impl Strategy<Value = Child> {
    let id = || prop_oneof![4 => 1..20_u64, 1 => 1..NUMBER_LIMIT];
    (key(), id(), vec(id(), 0..3)).prop_map(|(key, region, peers)| Child { key, region, peers })
}

fn derive() -> impl Strategy<Value = Derive> {
    select(vec![Derive::Left, Derive::Right])
}

pub(crate) fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        (key(), key()).prop_map(|(key, value)| Command::Put { key, value }),
        key().prop_map(|key| Command::Delete { key }),
        (vec(child(), 0..3), derive()).prop_map(|(children, derive)| Command::Split { children, derive }),
        change().prop_map(Command::ChangePeer),
        vec(change(), 0..3).prop_map(|changes| Command::EnterJoint { changes }),
        Just(Command::LeaveJoint),
        number().prop_map(|to| Command::TransferLeader { to }),
        number().prop_map(|index| Command::CompactLog { index }),
        (region(), number())
            .prop_map(|(target, min_index)| Command::PrepareMerge { target: Box::new(target), min_index }),
        (region(), number(), vec((number(), epoch()), 0..3)).prop_map(|(source, commit, entries)| {
            // Carried entries are plain here, so that commands stay finite.
            let entry = |(term, epoch)| Entry { term, command: None, epoch };
            let entries = entries.into_iter().map(entry).collect();
            Command::CommitMerge { source: Box::new(source), commit, entries }
        }),
        number().prop_map(|commit| Command::RollbackMerge { commit }),
    ]
}

fn merge() -> impl Strategy<Value = MergeState> {
    (number(), region(), number()).prop_map(|(min_index, target, commit)| MergeState {
        min_index,
        target,
        commit,
    })
}

fn seat() -> impl Strategy<Value = Seat> {
    (number(), number()).prop_map(|(store, peer)| Seat { store, peer })
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![command().prop_map(Order::Propose), vec(key(), 0..3).prop_map(|keys| Order::Split { keys }),]
}

fn admin_operator() -> impl Strategy<Value = AdminOperator> {
    prop_oneof![
        number().prop_map(|store| AdminOperator::AddPeer { store }),
        number().prop_map(|store| AdminOperator::AddVoter { store }),
        number().prop_map(|store| AdminOperator::RemovePeer { store }),
        number().prop_map(|store| AdminOperator::TransferLeader { store }),
        number().prop_map(|store| AdminOperator::EvictLeader { store }),
        vec(key(), 0..3).prop_map(|keys| AdminOperator::Split { keys }),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    select(vec![Reply::Delivered, Reply::Dropped, Reply::Delayed])
}

pub(crate) fn action() -> impl Strategy<Value = Action> {
    let entries = select(vec![Entries::One, Entries::All]);
    let message = select(vec![
        Outgoing::Append,
        Outgoing::Heartbeat,
        Outgoing::TimeoutNow,
        Outgoing::VoteRequest,
        Outgoing::RegionReport,
        Outgoing::StoreReport,
    ]);
    let place = || (number(), number());
    prop_oneof![
        place().prop_map(|(region, store)| Action::Campaign { region, store }),
        (number(), number(), number(), reply()).prop_map(|(region, candidate, voter, reply)| Action::Vote {
            region,
            candidate,
            voter,
            reply
        }),
        (number(), number(), number(), entries, reply()).prop_map(
            |(region, leader, follower, entries, reply)| Action::Replicate {
                region,
                leader,
                follower,
                entries,
                reply
            }
        ),
        (number(), number(), number(), reply()).prop_map(|(region, leader, follower, reply)| {
            Action::Heartbeat { region, leader, follower, reply }
        }),
        (number(), number(), option::of(number()), reply()).prop_map(|(region, store, asked, reply)| {
            let asks = asked.map_or(Authority::PlacementDriver, Authority::Member);
            Action::CheckStalePeer { region, store, asks, reply }
        }),
        place().prop_map(|(region, store)| Action::ApplySnapshot { region, store }),
        place().prop_map(|(region, store)| Action::Apply { region, store }),
        (number(), number(), command(), option::of(epoch()))
            .prop_map(|(region, store, command, epoch)| Action::Propose { region, store, command, epoch }),
        (number(), number(), vec(key(), 0..3), derive(), reply()).prop_map(
            |(region, store, keys, derive, reply)| Action::AskSplit { region, store, keys, derive, reply }
        ),
        (number(), number(), key()).prop_map(|(region, store, key)| Action::Read { region, store, key }),
        place().prop_map(|(region, store)| Action::AnswerRead { region, store }),
        place().prop_map(|(region, leader)| Action::TimeoutNow { region, leader }),
        place().prop_map(|(region, store)| Action::TransferTimeout { region, store }),
        number().prop_map(|store| Action::Crash { store }),
        number().prop_map(|store| Action::Restart { store }),
        number().prop_map(|store| Action::LoseDisk { store }),
        (number(), number(), number(), message).prop_map(|(region, from, to, message)| Action::Hold {
            region,
            from,
            to,
            message
        }),
        (0..9_usize).prop_map(|slot| Action::Late { slot }),
        pd_action(),
    ]
}

fn pd_action() -> impl Strategy<Value = Action> {
    prop_oneof![
        (number(), number(), reply()).prop_map(|(region, store, reply)| Action::RegionHeartbeat {
            region,
            store,
            reply
        }),
        (number(), reply()).prop_map(|(store, reply)| Action::StoreHeartbeat { store, reply }),
        number().prop_map(|store| Action::MissedHeartbeat { store }),
        (number(), reply()).prop_map(|(region, reply)| Action::Schedule { region, reply }),
        number().prop_map(|region| Action::OperatorTimeout { region }),
        (number(), reply()).prop_map(|(region, reply)| Action::PushOperator { region, reply }),
        number().prop_map(|store| Action::AddStore { store }),
        Just(Action::CheckStores),
        Just(Action::PdRestart),
        (number(), any::<bool>()).prop_map(|(store, force)| Action::Decommission { store, force }),
        number().prop_map(|store| Action::CancelDecommission { store }),
        number().prop_map(|store| Action::SetTombstone { store }),
        number().prop_map(|store| Action::RemoveTombstone { store }),
        (number(), admin_operator(), reply()).prop_map(|(region, operator, reply)| Action::AddOperator {
            region,
            operator,
            reply
        }),
        number().prop_map(|region| Action::RemoveOperator { region }),
        vec(number(), 0..3).prop_map(|stores| Action::RemoveFailedStores { stores }),
        Just(Action::RecoveryTimeout),
        (number(), number()).prop_map(|(region, store)| Action::ForceLeaderTimeout { region, store }),
        (number(), number(), any::<bool>()).prop_map(|(region, store, force)| Action::TombstonePeer {
            region,
            store,
            force
        }),
    ]
}

fn reason() -> impl Strategy<Value = Option<Reason>> {
    option::of(select(Reason::ALL))
}

pub(crate) fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::DONE),
        (key(), option::of(key()), region())
            .prop_map(|(key, value, region)| { Outcome::Done(Returned::Value { key, value, region }) }),
        (vec(child(), 0..3), reason())
            .prop_map(|(children, refused)| Outcome::Done(Returned::Allotted { children, refused })),
        (order(), reason()).prop_map(|(order, refused)| Outcome::Done(Returned::Ordered { order, refused })),
        select(Reason::ALL).prop_map(Outcome::Refused),
    ]
}

fn member() -> impl Strategy<Value = Member> {
    let role = select(vec![
        MemberRole::Voter,
        MemberRole::Learner,
        MemberRole::IncomingVoter,
        MemberRole::DemotingVoter,
    ]);
    (number(), number(), role).prop_map(|(id, store, role)| Member { id, store, role })
}

fn region() -> impl Strategy<Value = Region> {
    (number(), key(), key(), epoch(), vec(member(), 0..4)).prop_map(|(id, start, end, epoch, peers)| Region {
        id,
        start,
        end,
        epoch,
        peers,
    })
}

fn data() -> impl Strategy<Value = std::collections::BTreeMap<Key, Value>> {
    btree_map(key(), key(), 0..3)
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    (position(), region(), data()).prop_map(|(position, region, data)| Snapshot { position, region, data })
}

fn entry() -> impl Strategy<Value = Entry> {
    (number(), option::of(command()), epoch()).prop_map(|(term, command, epoch)| Entry {
        term,
        command,
        epoch,
    })
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        (any::<bool>(), position()).prop_map(|(granted, commit)| Message::VoteResponse { granted, commit }),
        (position(), vec(entry(), 0..3), number()).prop_map(|(previous, entries, commit)| Message::Append {
            previous,
            entries,
            commit
        }),
        (number(), number()).prop_map(|(index, commit)| Message::AppendResponse { index, commit }),
        Just(Message::PreTransferLeader),
        number().prop_map(|applied| Message::AckTransferLeader { applied }),
        snapshot().prop_map(Message::Snapshot),
        Just(Message::TimeoutNow),
        (position(), position()).prop_map(|(last, commit)| Message::VoteRequest { last, commit }),
        number().prop_map(|commit| Message::Heartbeat { commit }),
        region().prop_map(|region| Message::GcPeer { region }),
        region().prop_map(|target| Message::Merged { target }),
        Just(Message::CheckStalePeer),
        vec(member(), 0..4).prop_map(|peers| Message::CheckStalePeerResponse { peers }),
        (vec(child(), 0..3), derive())
            .prop_map(|(children, derive)| Message::AskSplitResponse { children, derive }),
        order().prop_map(Message::Order),
        recovery_plan().prop_map(Message::RecoveryPlan),
        (region(), btree_set(number(), 0..3), btree_set(number(), 0..3))
            .prop_map(|(region, pending, down)| Message::RegionReport { region, pending, down }),
        (number(), vec(peer_report(), 0..3)).prop_map(|(step, peers)| Message::StoreReport { step, peers }),
    ]
}

fn range() -> impl Strategy<Value = KeyRange> {
    prop_oneof![Just(KeyRange::default()), (key(), key()).prop_map(|(start, end)| KeyRange { start, end })]
}

fn held() -> impl Strategy<Value = Held> {
    (number(), member(), member(), number(), epoch(), range(), message()).prop_map(
        |(region, from, to, term, epoch, range, message)| Held {
            region,
            from,
            to,
            term,
            epoch,
            range,
            message,
        },
    )
}

fn leading() -> impl Strategy<Value = Leading> {
    let transfer = (number(), any::<bool>()).prop_map(|(to, timeout_now)| Transfer { to, timeout_now });
    let indexes = || btree_map(number(), number(), 0..3);
    (indexes(), indexes(), number(), number(), option::of(transfer)).prop_map(
        |(matched, committed, pending_conf_index, sent_snapshot, transfer)| Leading {
            matched,
            committed,
            pending_conf_index,
            sent_snapshot,
            transfer,
        },
    )
}

pub(crate) fn peer() -> impl Strategy<Value = Peer> {
    let state =
        select(vec![PeerState::Uninitialised, PeerState::Normal, PeerState::Merging, PeerState::Tombstone]);
    let role = select(vec![Role::Follower, Role::Candidate, Role::Leader]);
    let log = (position(), vec(entry(), 0..4)).prop_map(|(truncated, entries)| Log { truncated, entries });
    let campaign = (position(), option::of(position()), btree_set(number(), 0..3), btree_set(number(), 0..3))
        .prop_map(|(commit, last, granted, rejected)| Campaign { commit, last, granted, rejected });
    let read = (key(), number(), btree_set(number(), 0..3), any::<bool>())
        .prop_map(|(key, index, acks, ready)| Read { key, index, acks, ready });
    let durable = (number(), state, number(), number(), log, number(), number(), region(), data());
    let stale_check =
        (number(), vec(member(), 0..4)).prop_map(|(conf_ver, peers)| StaleCheck { conf_ver, peers });
    let merging = (
        option::of(merge()),
        option::of(region()),
        option::of(epoch()),
        option::of((member(), epoch()).prop_map(|(member, epoch)| Creator { member, epoch })),
        option::of(stale_check),
    );
    let volatile = (
        role,
        number(),
        option::of(snapshot()),
        option::of(campaign),
        option::of(leading()),
        btree_set(number(), 0..2),
        option::of(prop_oneof![
            vec(number(), 0..2).prop_map(PeerRecovery::Demotes),
            Just(PeerRecovery::Failed)
        ]),
        option::of(read),
    );
    (durable, volatile, merging).prop_map(
        |(
            (id, state, term, vote, log, commit, applied, region, data),
            (role, leader, snapshot, campaign, leading, failed_stores, recovery, read),
            (merge, merged_into, log_since, created_by, stale_check),
        )| Peer {
            id,
            state,
            replaces_tombstone: state == PeerState::Uninitialised && commit % 2 == 1,
            role,
            term,
            vote,
            leader,
            log,
            commit,
            synced_commit: commit.checked_sub(1).filter(|_| commit % 3 == 1),
            durable: None,
            applied,
            region,
            merge,
            merged_into,
            created_by,
            stale_check,
            log_since,
            snapshot,
            campaign,
            leading,
            failed_stores,
            recovery,
            read,
            data,
        },
    )
}

pub(crate) fn view() -> impl Strategy<Value = View> {
    let status = select(vec![StoreStatus::Up, StoreStatus::Down, StoreStatus::DiskLost]);
    let ranges = || {
        let range = (key(), key(), number());
        vec(range.prop_map(|(start, end, region)| RangeEntry { start, end, region }), 0..2)
    };
    let plan = (number(), any::<bool>()).prop_map(|(step, exits)| PlanUnderWay { step, exits });
    let peers = btree_map(number(), peer(), 0..3);
    let store = (status, peers, ranges(), ranges(), vec(held(), 0..2), option::of(plan)).prop_map(
        |(status, peers, ranges, pending_ranges, pending_messages, plan)| Store {
            status,
            peers,
            ranges,
            pending_ranges,
            pending_messages,
            plan,
        },
    );
    (btree_map(number(), store, 0..3), vec(held(), 0..3), pd()).prop_map(|(stores, held, pd)| View {
        stores,
        held,
        pd,
    })
}
