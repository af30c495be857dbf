//! The meaning of each reason in Chinese. The English is the comment of [`Reason`].

use super::chinese::Chinese;
use crate::outcome::Reason;

/// The meaning. The reason's name stays English.
impl Chinese for Reason {
    fn in_chinese(&self) -> String {
        of_peers(*self).or_else(|| of_proposals(*self)).unwrap_or_else(|| of_driver(*self)).into()
    }
}

/// Reasons of the harness, of the asked peer, and of a message's receiving store.
fn of_peers(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::StoreDown => "参与的 store 没有运行，或者磁盘已丢失。",
        Reason::StoreUp => "这个 store 已经在运行。",
        Reason::NothingHeld => "那个位置没有在路上的消息。",
        Reason::NoReply => "这一轮会创建 peer 或发快照，没有可以丢失或延迟的回复。",
        Reason::RegionNotFound => "这个 store 上没有该 region 活着的 peer。",
        Reason::NotLeader => "这个 peer 不是 leader。",
        Reason::AlreadyLeader => "这个 peer 已经是 leader。",
        Reason::NotCandidate => "这个 peer 不是 candidate，没有投票请求在路上。",
        Reason::NotInConfig => "接收者不在发送者的配置里（投票时：不是另一个 voter）。",
        Reason::NotPromotable => "在它自己已 apply 的配置里，它不是 voter。",
        Reason::UnappliedConfChange => "有一条成员变更已提交，还没有 apply。",
        Reason::ApplyingSnapshot => "收到的快照还没有应用。",
        Reason::NoSnapshot => "没有收到快照。",
        Reason::NothingToApply => "没有已提交而未 apply 的管理日志。",
        Reason::NotPersisted => "消息所依据的写入在发送者上还没有落盘，不能发出。",
        Reason::StaleTerm => "消息的 term 落后于接收者。",
        Reason::StaleEpoch => "消息的 epoch 落后于墓碑，而墓碑里的 region 仍列着发送者。",
        Reason::SenderRemoved => {
            "接收的 store 知道发送者已被移除，或它的 region 已被合并；这条答复仍可能丢失。"
        }
        Reason::Tombstone => "store 上的墓碑仍列着这个 peer，或更新的一个。",
        Reason::StillMember => "被问的 peer 或 store 不知道提问者已被移除。",
        Reason::StalePeerId => "store 上已有这个 region 更新的 peer。",
        Reason::NotInitialMessage => "store 上没有这个 peer，而这条消息不能创建它。",
        Reason::RangeOverlap => "这条消息要创建的 peer，其范围在该 store 上属于另一个 region。",
        Reason::SnapshotOverlap => "快照的范围在该 store 上属于另一个 region，或属于另一个等待中的快照。",
        Reason::MessageAlreadyPending => "给那个 peer 的第一条消息已经暂存着。",
        Reason::NotCommittedTerm => "leader 在自己的 term 里还没有提交任何日志。",
        Reason::ReadPending => "这个 peer 已有一个读在进行。",
        Reason::NoReadReady => "没有进行中的读，或者它还没有被确认，或没有 apply 到。",
        Reason::NoEffect => "动作合法，但什么也不会改变。",
        _ => return None,
    })
}

/// Reasons of proposals, splits and merges.
fn of_proposals(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::EpochNotMatch => "给出的 epoch 不是 region 现在的。",
        Reason::KeyNotInRegion => "key 不在这个 region 里。",
        Reason::EpochChanging => {
            "leader 在这个 term 提议了一条还没 apply 的命令，它会改变这条提议所依赖的 epoch（TiKV `CmdEpochChecker`）。"
        }
        Reason::PendingConfChange => "有一条成员变更还没生效（raft-rs `has_pending_conf`）。",
        Reason::NotAppliedTerm => "leader 还没有 apply 自己 term 的任何一条日志。",
        Reason::TransferringLeader => "正在让位给别的 leader。",
        Reason::LeaderRemoval => "这个变更会移除或降级 leader 自己。",
        Reason::DemoteFirst => "voter 是偶数个，直接移除其中一个会出事；先降级成 learner。",
        Reason::QuorumBehind => "新配置的多数派要先拿到快照才能提交。",
        Reason::VoterRemoval => "joint 变更不能直接移除 voter；先降级。",
        Reason::InvalidChange => "要加的 peer 已经在，要移除的不在，变更重复，或者不剩 voter。",
        Reason::AlreadyJoint => "region 已经处于 joint。",
        Reason::NotJoint => "region 不处于 joint。",
        Reason::TransfereeNotVoter => "让位的目标不是这个 region 的 voter。",
        Reason::NoTransfer => "没有进行中的让位。",
        Reason::NoTimeoutNow => "没有来自该 leader 的 `TimeoutNow` 在路上。",
        Reason::InvalidCompactIndex => "这个 index 已经截断，或者还没有 apply。",
        Reason::NoPlacementDriver => "这个 scope 没有 PD 来分配 id。",
        Reason::NoSplitKey => "分裂没有给 key。",
        Reason::SplitKeyEmpty => "有一个分裂 key 是空的。",
        Reason::SplitKeyAtStart => "有一个分裂 key 就是 region 的起点。",
        Reason::SplitKeyAtEnd => "有一个分裂 key 是 region 的终点，或在它之后。",
        Reason::SplitKeyOutside => "有一个分裂 key 在 region 之前。",
        Reason::SplitKeysOutOfOrder => "分裂 key 没有递增。",
        Reason::SplitIdsMismatch => "peer id 的个数和 peer 的个数对不上。",
        Reason::IdInUse => "分裂用的 id 已被占用：被这个 region、被该 store 上别的 region，或在分裂里重复。",
        Reason::Merging => "region 正在合并，或有一条 PrepareMerge 还没生效。",
        Reason::NotMerging => "region 不在合并。",
        Reason::MergeTargetNotFound => "该 store 上没有合并目标的已初始化 peer。",
        Reason::MergeTargetNotMatch => "合并目标和命令里写的不一样。",
        Reason::NotSiblings => "两个 region 不相邻。",
        Reason::StoresNotMatch => "两个 region 不在同样的 store 上，或角色不同。",
        Reason::LogGapTooLarge => "不能确定每个副本都有足够的日志。",
        Reason::AdminInLogGap => "有的副本可能缺的那段日志里有管理命令。",
        Reason::MergeSourceNotFound => "该 store 上没有合并源的已初始化 peer。",
        Reason::SourceNotMerging => "该 store 上合并源的 peer 并不在并入这个 region。",
        Reason::MergeTargetChanged => "目标已越过源所期待的 epoch，合并必须撤回。",
        Reason::MergeTargetBehind => "目标还没到源所期待的 epoch。",
        Reason::MergeTargetUnchanged => "据该 store 所知，合并仍可能提交。",
        Reason::WaitsForSource => "该 store 上合并源的 peer 还没有 apply `PrepareMerge`。",
        _ => return None,
    })
}

/// Reasons of the placement driver and of forced administration.
fn of_driver(reason: Reason) -> &'static str {
    match reason {
        Reason::UnknownStore => "PD 没有这个 store 的记录。",
        Reason::StoreRemoved => "store 已是 Tombstone，不可逆。",
        Reason::AlreadyLeaving => "store 已在下线；pd-ctl 仍回答 \"Success!\"（第 43 行）。",
        Reason::NotLeaving => "store 不在下线，没有可以取消的。",
        Reason::PhysicallyDestroyed => "store 已被声明机器已毁，不能撤销。",
        Reason::StoresNotEnough => "剩下的 store 会少于 region 的副本数（第 39 行）。",
        Reason::StateNotAllowed => "只有 PD 自己能把 store 变成 Tombstone（第 45 行）。",
        Reason::NotTombstone => "store 不是 Tombstone，它的记录不能清除。",
        Reason::StoreHasRegions => "还有 region 列着该 store 上的 peer（第 45 行）。",
        Reason::NothingToBury => "没有下线中而且已经空了的 store。",
        Reason::UnknownRegion => "PD 不知道这个 region，或不知道它第一个 key 上的 region。",
        Reason::RegionStale => "上报或分裂请求的 epoch 比 PD 知道的旧（第 35 行）。",
        Reason::NoLeader => "PD 不知道这个 region 的 leader（第 41 行）。",
        Reason::JointState => "region 处于 joint。",
        Reason::OperatorExists => "region 已有同级或更高优先级的 operator（第 38 行）。",
        Reason::NoOperator => "region 没有 operator。",
        Reason::PeerExists => "region 在那个 store 上已有 peer。",
        Reason::NoPeer => "region 在那个 store 上没有 peer。",
        Reason::NoVoter => "region 在那个 store 上没有 voter。",
        Reason::StoreUnhealthy => "store 是 Down。",
        Reason::LastVoter => "这是 region 唯一的 voter。",
        Reason::MajorityLost => "剩下活着的 voter 会少于多数派（第 46 行）。",
        Reason::NoNewLeader => "没有别的 voter 能当 leader。",
        Reason::InvalidSplitKey => "operator 没有分裂 key，或 key 不在 region 里。",
        Reason::NothingToDo => "这个 region 什么都不缺。",
        Reason::NoTarget => "没有 store 能接收这个 peer（第 39、40 行）。",
        Reason::ScheduleLimit => "巡检同时运行的 operator 已到上限（第 49 行）。",
        Reason::InvalidConfVer => {
            "PD 所知 region 的 `conf_ver` 不高于这个 peer 自己的：先在 PD 里移除它（第 37 行）。"
        }
        Reason::PeerStillListed => "PD 的 region 仍列着该 store 上的这个 peer（第 37 行）。",
        Reason::StoreConnected => "store 是 Up 而且有心跳，unsafe recovery 不接受它。",
        Reason::RecoveryRunning => "unsafe recovery 正在进行：不能再开始一个，巡检暂停，分裂拿不到 id。",
        Reason::NoRecovery => "没有进行中的 unsafe recovery。",
        Reason::RecoveryInProgress => {
            "region 的 leader 是强制的，只接受成员变更（TiKV `RecoveryInProgress`）。"
        }
        Reason::NotByForce => "这个 peer 不是强制 leader。",
        other => unreachable!("{other} is rendered elsewhere"),
    }
}
