//! The dictionary in Chinese. Names in the code, TiKV or PD stay English, so that they can be
//! searched.

use super::joined;
use crate::action::Action;
use crate::command::{Change, ChangeKind, Child, Command, Derive};
use crate::message::{Held, Message};
use crate::outcome::{Outcome, Returned};
use crate::pd::{AdminOperator, KnownStore, Liveness, Operator, OperatorStep, Order, StoreState};
use crate::peer::PeerState;
use crate::recovery::{RecoveryPlan, RecoveryStage};
use crate::round::{Authority, Entries, Outgoing, Reply};
use crate::view::StoreStatus;

/// Something with a Chinese rendering.
pub trait Chinese {
    /// Its Chinese words.
    fn in_chinese(&self) -> String;
}

impl Chinese for Action {
    fn in_chinese(&self) -> String {
        match self {
            Action::Propose { region, store, command, epoch } => {
                let under = epoch.map_or(String::new(), |epoch| format!("，epoch {epoch}"));
                format!("Propose region {region}：store {store}，{}{under}", command.in_chinese())
            }
            Action::AskSplit { region, store, keys, derive, reply } => {
                let (keys, derive) = (joined(keys, ", "), derive.in_chinese());
                format!(
                    "AskSplit region {region}：store {store} 请求在 {keys} 分裂，{derive}{}",
                    reply_words(*reply)
                )
            }
            Action::Read { region, store, key } => {
                format!("Read region {region}：在 store {store} 读 {key}")
            }
            Action::AnswerRead { region, store } => format!("AnswerRead region {region}：store {store} 回答"),
            Action::Hold { region, from, to, message } => hold(*region, *from, *to, *message),
            Action::Late { slot } => format!("Late：第 {slot} 条迟到的消息送达"),
            other => region_action(other).unwrap_or_else(|| driver_action(other)),
        }
    }
}

/// Actions between peers of a region, or on a store.
fn region_action(action: &Action) -> Option<String> {
    Some(match action {
        Action::Campaign { region, store } => format!("Campaign region {region}：store {store} 竞选"),
        Action::Vote { region, candidate, voter, reply } => {
            format!("Vote region {region}：store {candidate} 向 store {voter} 要票{}", reply_words(*reply))
        }
        Action::Replicate { region, leader, follower, entries, reply } => {
            let (entries, reply) = (entries.in_chinese(), reply_words(*reply));
            format!("Replicate region {region}：store {leader} → store {follower}（{entries}）{reply}")
        }
        Action::Heartbeat { region, leader, follower, reply } => {
            format!("Heartbeat region {region}：store {leader} → store {follower}{}", reply_words(*reply))
        }
        Action::CheckStalePeer { region, store, asks, reply } => {
            let (asks, reply) = (asks.in_chinese(), reply_words(*reply));
            format!("CheckStalePeer region {region}：store {store} 问 {asks}{reply}")
        }
        Action::ApplySnapshot { region, store } => {
            format!("ApplySnapshot region {region}：store {store} 应用快照")
        }
        Action::Apply { region, store } => format!("Apply region {region}：store {store}"),
        Action::TimeoutNow { region, leader } => {
            format!("TimeoutNow region {region}：store {leader} 的 TimeoutNow 送达")
        }
        Action::TransferTimeout { region, store } => {
            format!("TransferTimeout region {region}：store {store} 的让位超时")
        }
        Action::Crash { store } => format!("Crash：store {store} 宕机"),
        Action::Restart { store } => format!("Restart：store {store} 重启"),
        Action::Persist { store } => format!("Persist：store {store} 落盘"),
        Action::LoseDisk { store } => format!("LoseDisk：store {store} 的磁盘丢失"),
        Action::TombstonePeer { region, store, force } => {
            let how = if *force { "强制" } else { "" };
            format!("TombstonePeer region {region}：在 store {store} 上{how}写成墓碑")
        }
        Action::ForceLeaderTimeout { region, store } => {
            format!("ForceLeaderTimeout region {region}：store {store} 强制当选超时")
        }
        _ => return None,
    })
}

/// Actions of or on the placement driver.
fn driver_action(action: &Action) -> String {
    match action {
        Action::RegionHeartbeat { region, store, reply } => {
            format!("RegionHeartbeat region {region}：store {store} 上报{}", order_fate(*reply))
        }
        Action::StoreHeartbeat { store, reply } => {
            format!("StoreHeartbeat：store {store} 的心跳{}", reply_words(*reply))
        }
        Action::MissedHeartbeat { store } => format!("MissedHeartbeat：PD 好久没收到 store {store} 的心跳"),
        Action::Schedule { region, reply } => {
            format!("Schedule region {region}：PD 巡检{}", order_fate(*reply))
        }
        Action::PushOperator { region, reply } => {
            format!("PushOperator region {region}：PD 推进 operator{}", order_fate(*reply))
        }
        Action::OperatorTimeout { region } => format!("OperatorTimeout region {region}：operator 超时"),
        Action::CheckStores => "CheckStores：PD 检查各 store".into(),
        Action::PdRestart => "PdRestart：PD 重启".into(),
        Action::AddStore { store } => format!("AddStore：store {store} 加入集群"),
        Action::Decommission { store, force } => {
            let how = if *force { "，机器已毁" } else { "" };
            format!("Decommission：store {store} 缩容下线{how}")
        }
        Action::CancelDecommission { store } => format!("CancelDecommission：取消 store {store} 的下线"),
        Action::SetTombstone { store } => format!("SetTombstone：要求把 store {store} 设为 Tombstone"),
        Action::RemoveTombstone { store } => format!("RemoveTombstone：清除 store {store} 的记录"),
        Action::AddOperator { region, operator, reply } => {
            let (operator, fate) = (operator.in_chinese(), order_fate(*reply));
            format!("AddOperator region {region}：{operator}{fate}")
        }
        Action::RemoveOperator { region } => format!("RemoveOperator region {region}：取消 operator"),
        Action::RemoveFailedStores { stores } => {
            format!("RemoveFailedStores：放弃 store {}", joined(stores, ", "))
        }
        Action::RecoveryTimeout => "RecoveryTimeout：恢复超时".into(),
        other => unreachable!("{other} is rendered elsewhere"),
    }
}

fn hold(region: u64, from: u64, to: u64, message: Outgoing) -> String {
    match message {
        Outgoing::RegionReport => {
            format!("Hold region {region}：store {from} → PD，{}", message.in_chinese())
        }
        Outgoing::StoreReport => format!("Hold：store {from} → PD，{}", message.in_chinese()),
        message => {
            let message = message.in_chinese();
            format!("Hold region {region}：store {from} → store {to}，{message}")
        }
    }
}

fn reply_words(reply: Reply) -> &'static str {
    match reply {
        Reply::Delivered => "",
        Reply::Dropped => "，回复丢了",
        Reply::Delayed => "，回复延迟",
    }
}

fn order_fate(reply: Reply) -> &'static str {
    match reply {
        Reply::Delivered => "",
        Reply::Dropped => "，命令丢了",
        Reply::Delayed => "，命令延迟",
    }
}

impl Chinese for Authority {
    fn in_chinese(&self) -> String {
        match self {
            Authority::Member(store) => format!("store {store}"),
            Authority::PlacementDriver => "PD".into(),
        }
    }
}

impl Chinese for Entries {
    fn in_chinese(&self) -> String {
        match self {
            Entries::One => "一条".into(),
            Entries::All => "全部".into(),
        }
    }
}

impl Chinese for Command {
    fn in_chinese(&self) -> String {
        match self {
            Command::Put { .. } | Command::Delete { .. } => self.to_string(),
            Command::Split { children, derive } => {
                let children = children.iter().map(Chinese::in_chinese);
                format!("分裂（{}），{}", joined(children, ", "), derive.in_chinese())
            }
            Command::ChangePeer(change) => change.in_chinese(),
            Command::EnterJoint { changes } => {
                format!("进入 joint（{}）", joined(changes.iter().map(Chinese::in_chinese), "，"))
            }
            Command::LeaveJoint => "离开 joint".into(),
            Command::TransferLeader { to } => format!("把 leader 让给 store {to}"),
            Command::CompactLog { index } => format!("压缩日志到 {index}"),
            Command::PrepareMerge { target, .. } => format!("PrepareMerge，并入 region {}", target.id),
            Command::CommitMerge { source, entries, .. } => {
                let with = if entries.is_empty() {
                    String::new()
                } else {
                    format!("，带 {} 条日志", entries.len())
                };
                format!("CommitMerge，并进 region {}{with}", source.id)
            }
            Command::RollbackMerge { .. } => "RollbackMerge，撤回合并".into(),
        }
    }
}

impl Chinese for Child {
    fn in_chinese(&self) -> String {
        self.to_string()
    }
}

impl Chinese for Derive {
    fn in_chinese(&self) -> String {
        match self {
            Derive::Left => "左边保留 id".into(),
            Derive::Right => "右边保留 id".into(),
        }
    }
}

impl Chinese for Change {
    fn in_chinese(&self) -> String {
        let Change { kind, peer, store } = self;
        match kind {
            ChangeKind::AddVoter => format!("加 voter {peer}@{store}"),
            ChangeKind::AddLearner => format!("加 learner {peer}@{store}"),
            ChangeKind::Remove => format!("移除 {peer}@{store}"),
        }
    }
}

impl Chinese for Outcome {
    fn in_chinese(&self) -> String {
        match self {
            Outcome::Done(Returned::Nothing) => "完成".into(),
            Outcome::Done(Returned::Allotted { children, refused }) => {
                let refused = refused.map_or(String::new(), |reason| format!("，没有提议：{reason}"));
                format!("完成：分到 {}{refused}", joined(children, ", "))
            }
            Outcome::Done(Returned::Entered(stage)) => format!("完成，PD 的恢复：{}", stage.in_chinese()),
            Outcome::Done(Returned::Ordered { order, refused }) => {
                let refused = refused.map_or(String::new(), |reason| format!("，对方没接：{reason}"));
                format!("完成：下令 {}{refused}", order.in_chinese())
            }
            Outcome::Done(Returned::Value { key, value, region }) => match value {
                Some(value) => format!("完成：{key}={value}（{region}）"),
                None => format!("完成：没有 {key}（{region}）"),
            },
            Outcome::Refused(reason) => format!("拒绝：{reason}"),
        }
    }
}

impl Chinese for PeerState {
    fn in_chinese(&self) -> String {
        match self {
            PeerState::Uninitialised => "未初始化",
            PeerState::Normal => "正常",
            PeerState::Merging => "合并中",
            PeerState::Tombstone => "墓碑",
        }
        .into()
    }
}

impl Chinese for StoreStatus {
    fn in_chinese(&self) -> String {
        match self {
            StoreStatus::Up => "运行",
            StoreStatus::Down => "宕机",
            StoreStatus::DiskLost => "磁盘丢失",
        }
        .into()
    }
}

impl Chinese for Held {
    fn in_chinese(&self) -> String {
        let Held { region, from, to, term, message, .. } = self;
        let message = message.in_chinese();
        if self.is_from_pd() {
            return format!("{message}，epoch {}，给 {to}（region {region}）", self.epoch);
        }
        if matches!(self.message, Message::StoreReport { .. }) {
            return format!("{message}，来自 store {}", from.store);
        }
        if self.is_to_pd() {
            return format!("{message}，term {term}，来自 {from}");
        }
        format!("{message}，term {term}，{from} → {to}（region {region}）")
    }
}

impl Chinese for Message {
    fn in_chinese(&self) -> String {
        match self {
            Message::VoteRequest { last, .. } => {
                format!("投票请求，日志到 {}（term {}）", last.index, last.term)
            }
            Message::VoteResponse { granted: true, .. } => "赞成票".into(),
            Message::VoteResponse { granted: false, .. } => "反对票".into(),
            Message::Append { previous, entries, commit } => {
                format!("append {} 条，在 {} 之后，commit {commit}", entries.len(), previous.index)
            }
            Message::AppendResponse { index: 0, .. } => "什么都不确认的回复".into(),
            Message::AppendResponse { index, .. } => format!("append 的回复 {index}"),
            Message::Snapshot(snapshot) => format!("{} 处的快照", snapshot.position.index),
            Message::Heartbeat { commit } => format!("心跳，commit {commit}"),
            Message::TimeoutNow => "TimeoutNow".into(),
            Message::PreTransferLeader => "问它 apply 到哪里".into(),
            Message::AckTransferLeader { applied } => format!("回答 apply 到 {applied}"),
            Message::AskSplitResponse { children, .. } => {
                format!("分裂用的 id（{}）", joined(children, ", "))
            }
            Message::Order(order) => format!("命令：{}", order.in_chinese()),
            Message::RecoveryPlan(plan) => format!("第 {} 步的恢复计划：{}", plan.step, plan.in_chinese()),
            Message::RegionReport { region, .. } => format!("{region} 的上报"),
            Message::StoreReport { step, peers } => format!("第 {step} 步的上报，{} 个 peer", peers.len()),
            Message::GcPeer { region } => format!("告知它已被移除，epoch {} 之前", region.epoch),
            Message::Merged { target } => format!("告知它已并入 region {}", target.id),
            Message::CheckStalePeer => "问自己是否还是成员".into(),
            Message::CheckStalePeerResponse { peers } => format!("叫它去问 {{{}}}", joined(peers, " ")),
        }
    }
}

impl Chinese for Outgoing {
    fn in_chinese(&self) -> String {
        match self {
            Outgoing::Heartbeat => "心跳".into(),
            Outgoing::VoteRequest => "投票请求".into(),
            Outgoing::RegionReport => "region 上报".into(),
            Outgoing::StoreReport => "store 上报".into(),
            Outgoing::Append | Outgoing::TimeoutNow => self.to_string(),
        }
    }
}

impl Chinese for KnownStore {
    fn in_chinese(&self) -> String {
        let Self { state, liveness, physically_destroyed, full } = self;
        let mut text = String::from(match (state, liveness) {
            (StoreState::Up, Liveness::Connected) => "Up",
            (StoreState::Up, Liveness::Disconnected) => "Disconnected",
            (StoreState::Up, Liveness::Down) => "Down",
            (StoreState::Offline, _) => "Offline（下线中）",
            (StoreState::Tombstone, _) => "Tombstone（已下线）",
        });
        text += if *physically_destroyed { "，机器已毁" } else { "" };
        text + if *full { "，太满" } else { "" }
    }
}

impl Chinese for Liveness {
    fn in_chinese(&self) -> String {
        match self {
            Liveness::Connected => "有心跳",
            Liveness::Disconnected => "失联",
            Liveness::Down => "长时间失联",
        }
        .into()
    }
}

impl Chinese for OperatorStep {
    fn in_chinese(&self) -> String {
        match self {
            OperatorStep::TransferLeader { to } => format!("把 leader 让给 store {to}"),
            OperatorStep::AddLearner(seat) => format!("加 learner {seat}"),
            OperatorStep::PromoteLearner(seat) => format!("learner {seat} 升为 voter"),
            OperatorStep::AddPeer(seat) => format!("加 peer {seat}"),
            OperatorStep::RemovePeer(seat) => format!("移除 peer {seat}"),
            OperatorStep::EnterJoint { promote, demote } => {
                format!("进入 joint（升 {{{}}}，降 {{{}}}）", joined(promote, " "), joined(demote, " "))
            }
            OperatorStep::LeaveJoint { .. } => "离开 joint".into(),
            OperatorStep::Split { keys, .. } => format!("在 {} 分裂", joined(keys, ", ")),
        }
    }
}

impl Chinese for Operator {
    fn in_chinese(&self) -> String {
        match self.step() {
            Some(step) => {
                let (at, of) = (self.done + 1, self.steps.len());
                format!("{}，第 {at} 步，共 {of} 步：{}", self.purpose, step.in_chinese())
            }
            None => format!("{}，完成", self.purpose),
        }
    }
}

impl Chinese for Order {
    fn in_chinese(&self) -> String {
        match self {
            Order::Propose(command) => command.in_chinese(),
            Order::Split { keys } => format!("在 {} 分裂", joined(keys, ", ")),
        }
    }
}

impl Chinese for AdminOperator {
    fn in_chinese(&self) -> String {
        match self {
            AdminOperator::AddPeer { store } => format!("add-peer，在 store {store} 上加副本"),
            AdminOperator::AddVoter { store } => format!("add-peer，在 store {store} 上直接加 voter"),
            AdminOperator::RemovePeer { store } => format!("remove-peer，移除 store {store} 上的副本"),
            AdminOperator::TransferLeader { store } => {
                format!("transfer-leader，把 leader 让给 store {store}")
            }
            AdminOperator::EvictLeader { store } => format!("evict-leader，把 leader 赶出 store {store}"),
            AdminOperator::Split { keys } => format!("split-region，在 {} 分裂", joined(keys, ", ")),
        }
    }
}

impl Chinese for RecoveryStage {
    fn in_chinese(&self) -> String {
        match self {
            RecoveryStage::CollectReport => "收集上报",
            RecoveryStage::ForceLeaderForCommitMerge => "为 CommitMerge 强制选主",
            RecoveryStage::ForceLeader => "强制选主",
            RecoveryStage::DemoteFailedVoter => "降级失效的 voter",
            RecoveryStage::CreateEmptyRegion => "建立空 region",
            RecoveryStage::ExitForceLeader => "退出强制 leader",
            RecoveryStage::Finished => "完成",
            RecoveryStage::Failed => "失败",
        }
        .into()
    }
}

impl Chinese for RecoveryPlan {
    fn in_chinese(&self) -> String {
        let mut words = Vec::new();
        if let Some(forces) = self.force_leaders.as_ref().filter(|forces| !forces.regions.is_empty()) {
            words.push(format!("在 region {} 强制选主", joined(forces.regions.keys(), ", ")));
        }
        for (region, failed) in &self.demotes {
            words.push(format!("region {region} 降级 peer {}", joined(failed, ", ")));
        }
        words.extend(self.tombstones.iter().map(|region| format!("把 region {region} 的 peer 写成墓碑")));
        words.extend(self.creates.iter().map(|region| format!("建立 {region}")));
        match (words.is_empty(), &self.force_leaders) {
            (true, Some(_)) => "什么也不做".into(),
            (true, None) => "退出强制 leader".into(),
            _ => words.join("，"),
        }
    }
}
