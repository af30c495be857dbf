//! What a step changed, in words: one line for each peer that changed.
//!
//! It shows what an operator would look at. A change that has no words of its own is shown field by
//! field, so that nothing is left out. Names in the code are the same in both languages.

use std::collections::BTreeSet;

use super::pd::pd_changes;
use crate::diff::differences;
use crate::log::{Entry, Log};
use crate::message::Held;
use crate::peer::{Durable, Leading, Peer, PeerState, Read, Role, Transfer};
use crate::recovery::PeerRecovery;
use crate::region::{PeerId, Region, RegionId, StoreId};
use crate::view::{RangeEntry, StoreStatus, View};
use crate::words::{Language, joined};

/// The same sentence in the reader's language.
macro_rules! say {
    ($language:expr, $english:literal, $chinese:literal) => {
        match $language {
            Language::English => format!($english),
            Language::Chinese => format!($chinese),
        }
    };
}

pub(super) use say;

/// The changes from one view to the next, one a line; empty if nothing changed.
pub fn changes(before: &View, after: &View) -> Vec<String> {
    changes_in(Language::English, before, after)
}

/// The same in another language.
pub fn changes_in(language: Language, before: &View, after: &View) -> Vec<String> {
    if before == after {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let stores: BTreeSet<&StoreId> = before.stores.keys().chain(after.stores.keys()).collect();
    let several = [before, after].iter().flat_map(|view| regions(view)).collect::<BTreeSet<_>>().len() > 1;
    for &store in stores {
        lines.extend(store_changes(language, store, before, after, several));
    }
    lines.extend(message_changes(language, &before.held, &after.held, say_held(language)));
    lines.extend(pd_changes(language, &before.pd, &after.pd));
    if lines.is_empty() {
        lines.extend(differences(before, after).iter().map(|difference| {
            let (was, is) = difference.words();
            format!("{}: {was} -> {is}", difference.path)
        }));
    }
    lines
}

fn regions(view: &View) -> impl Iterator<Item = RegionId> + '_ {
    view.stores.values().flat_map(|store| store.peers.keys().copied())
}

/// The words for a delayed message that was added, and for one that was taken.
fn say_held(language: Language) -> [&'static str; 2] {
    match language {
        Language::English => ["held", "no longer held"],
        Language::Chinese => ["在路上", "不再在路上"],
    }
}

fn say_pending(language: Language) -> [&'static str; 2] {
    match language {
        Language::English => ["pending message", "no longer pending"],
        Language::Chinese => ["暂存", "不再暂存"],
    }
}

fn store_changes(
    language: Language,
    store: StoreId,
    before: &View,
    after: &View,
    several: bool,
) -> Vec<String> {
    let (was, is) = (before.stores.get(&store), after.stores.get(&store));
    let (Some(was), Some(is)) = (was, is) else {
        return vec![if is.is_some() {
            say!(language, "store {store}: joins", "store {store}：加入")
        } else {
            say!(language, "store {store}: is gone", "store {store}：不见了")
        }];
    };
    let mut lines = Vec::new();
    if was.status != is.status {
        lines.push(match (was.status, is.status) {
            (StoreStatus::Down, StoreStatus::Up) => {
                say!(language, "store {store}: restarts", "store {store}：重新启动")
            }
            (_, status) => {
                let status = language.of(&status);
                say!(language, "store {store}: is {status}", "store {store}：{status}")
            }
        });
    }
    let peers: BTreeSet<&RegionId> = was.peers.keys().chain(is.peers.keys()).collect();
    for region in peers {
        let words = match (was.peers.get(region), is.peers.get(region)) {
            (None, None) => continue,
            (Some(_), None) => vec![say!(language, "its state is lost", "什么都没有了")],
            (None, Some(peer)) => created(language, peer),
            (Some(old), Some(new)) => peer_changes(language, old, new),
        };
        if !words.is_empty() {
            let whose = if several {
                say!(language, ", region {region}", "，region {region}")
            } else {
                String::new()
            };
            let words = words.join(language.comma());
            lines.push(say!(language, "store {store}{whose}: {words}", "store {store}{whose}：{words}"));
        }
    }
    if several && was.ranges != is.ranges {
        let ranges = range_words(&is.ranges);
        lines.push(say!(
            language,
            "store {store}: its ranges are {ranges}",
            "store {store}：它的范围是 {ranges}"
        ));
    }
    match (&was.plan, &is.plan) {
        (old, Some(new)) if old.as_ref() != Some(new) => {
            let step = new.step;
            lines.push(say!(
                language,
                "store {store}: executes the recovery plan of step {step}",
                "store {store}：执行第 {step} 步的恢复计划"
            ));
        }
        (Some(_), None) => lines.push(say!(
            language,
            "store {store}: has no recovery plan left",
            "store {store}：没有恢复计划可执行"
        )),
        _ => {}
    }
    // The peer's own line says that a snapshot was received or applied.
    let received = is.peers.values().filter_map(RangeEntry::pending);
    if was.pending_ranges != is.pending_ranges && !received.eq(is.pending_ranges.iter().cloned()) {
        let words = pending_words(language, &is.pending_ranges);
        lines.push(say!(language, "store {store}: {words}", "store {store}：{words}"));
    }
    let pending = [&was.pending_messages, &is.pending_messages];
    let pending = message_changes(language, pending[0], pending[1], say_pending(language));
    lines.extend(
        pending.into_iter().map(|words| say!(language, "store {store}: {words}", "store {store}：{words}")),
    );
    lines
}

fn range_words(ranges: &[RangeEntry]) -> String {
    let words = ranges.iter().map(|entry| format!("{} [{}, {})", entry.region, entry.start, entry.end));
    joined(words, ", ")
}

fn pending_words(language: Language, ranges: &[RangeEntry]) -> String {
    if ranges.is_empty() {
        return say!(language, "it reserves no range for a snapshot", "没有为快照保留的范围");
    }
    let ranges = range_words(ranges);
    say!(language, "it reserves for snapshots {ranges}", "为快照保留 {ranges}")
}

fn created(language: Language, peer: &Peer) -> Vec<String> {
    let id = peer.id;
    match peer.state {
        PeerState::Tombstone => {
            let (epoch, left) = (peer.region.epoch, left_behind(language, peer));
            vec![say!(
                language,
                "a tombstone of peer {id} at epoch {epoch}{left}",
                "peer {id} 的墓碑，epoch {epoch}{left}"
            )]
        }
        PeerState::Uninitialised => {
            let mut words =
                vec![say!(language, "peer {id} is created, uninitialised", "创建 peer {id}，未初始化")];
            words.extend(follows(language, peer));
            words
        }
        // A peer that has a region from the start was created by a split, at a version beyond the
        // first, or by an unsafe recovery, where no region had the keys.
        PeerState::Normal | PeerState::Merging => {
            let Region { start, end, epoch, peers, .. } = &peer.region;
            let comes = if epoch.version == 1 {
                say!(language, "peer {id} is created by the recovery", "重新建立 peer {id}")
            } else {
                say!(language, "peer {id} is created by the split", "分裂出 peer {id}")
            };
            let mut words = vec![
                say!(language, "{comes} with range [{start}, {end})", "{comes}，范围 [{start}, {end})"),
                format!("epoch {epoch}"),
                format!("peers {{{}}}", joined(peers, " ")),
            ];
            words.extend(peer.data.iter().map(|(key, value)| format!("{key}={value}")));
            words.push(match (peer.role, follows(language, peer)) {
                (_, Some(follows)) => follows,
                (role, None) => role_of_term(language, role, peer.term),
            });
            words
        }
    }
}

fn role_of_term(language: Language, role: Role, term: u64) -> String {
    say!(language, "{role} of term {term}", "term {term} 的 {role}")
}

/// The peer became a tombstone.
fn destroyed(language: Language, was: &Peer, is: &Peer) -> String {
    let into = |target: &Region| {
        let into = target.id;
        say!(language, ", merged into region {into}", "，已并入 region {into}")
    };
    let into = is.merged_into.as_ref().map(into).unwrap_or_default();
    let (id, epoch, left) = (was.id, is.region.epoch, left_behind(language, is));
    say!(
        language,
        "peer {id} is destroyed, its tombstone has epoch {epoch}{into}{left}",
        "销毁 peer {id}，墓碑的 epoch 是 {epoch}{into}{left}"
    )
}

/// The indexes beside a tombstone. A clean one has none.
fn left_behind(language: Language, tombstone: &Peer) -> String {
    let indexes = [("commit", tombstone.commit), ("applied", tombstone.applied)];
    let left = joined(indexes.iter().filter(|(_, at)| *at > 0).map(|(name, at)| format!("{name} {at}")), " ");
    if left.is_empty() {
        return left;
    }
    say!(language, ", with {left} beside it", "，旁边还留着 {left}")
}

fn peer_changes(language: Language, was: &Peer, is: &Peer) -> Vec<String> {
    if is.state == PeerState::Tombstone {
        return if was == is { Vec::new() } else { vec![destroyed(language, was, is)] };
    }
    if was.state == PeerState::Tombstone || was.id != is.id {
        return created(language, is);
    }
    let mut words = Vec::new();
    if was.state != is.state {
        words.push(format!("{} -> {}", language.of(&was.state), language.of(&is.state)));
    }
    if let Some(target) = is.merged_into.as_ref().filter(|_| was.merged_into != is.merged_into) {
        let id = target.id;
        words.push(say!(
            language,
            "learns that it was merged into region {id}",
            "得知 region {id} 已将它并入"
        ));
    }
    if let Some(check) = is.stale_check.as_ref().filter(|_| was.stale_check != is.stale_check) {
        let peers = joined(&check.peers, " ");
        words.push(say!(language, "learns of members {{{peers}}} to ask", "得知可以去问 {{{peers}}}"));
    }
    words.extend(role_changes(language, was, is));
    words.extend(log_changes(language, &was.log, &is.log));
    words.extend(number("commit", was.commit, is.commit));
    if let Some(synced) = is.synced_commit.filter(|_| was.synced_commit != is.synced_commit) {
        words.push(say!(language, "commit {synced} on disk", "commit {synced} 已落盘"));
    }
    words.extend(number("applied", was.applied, is.applied));
    words.extend(durable_changes(language, was, is));
    words.extend(region_changes(language, was, is));
    words.extend(data_changes(language, was, is));
    match (&was.snapshot, &is.snapshot) {
        (old, Some(new)) if old.as_ref() != Some(new) => {
            let index = new.position.index;
            words.push(say!(language, "snapshot at {index} received", "收到 {index} 处的快照"));
        }
        (Some(_), None) if was.state == is.state && was.applied == is.applied => {
            words.push(say!(language, "its snapshot is lost", "丢弃它的快照"));
        }
        _ => {}
    }
    words.extend(leading_changes(language, is.id, was.leading.as_ref(), is.leading.as_ref()));
    words.extend(read_changes(language, was.read.as_ref(), is.read.as_ref()));
    if was.recovery != is.recovery {
        words.push(recovery_words(language, is.recovery.as_ref()));
    }
    words
}

fn recovery_words(language: Language, recovery: Option<&PeerRecovery>) -> String {
    match recovery {
        Some(PeerRecovery::Demotes(failed)) if failed.is_empty() => {
            say!(language, "has proposed their removal", "已提议去掉它们")
        }
        Some(PeerRecovery::Demotes(failed)) => {
            let failed = joined(failed, ", ");
            say!(language, "must demote or remove peers {failed}", "要去掉 peer {failed}")
        }
        Some(PeerRecovery::Failed) => {
            say!(language, "cannot execute the plan, and still leads", "做不到所要求的，继续当 leader")
        }
        None => say!(language, "has nothing left to do for the recovery plan", "恢复计划要它做的都做完了"),
    }
}

/// How much of a peer is durable, where that is not all of it or becomes so.
fn durable_changes(language: Language, was: &Peer, is: &Peer) -> Option<String> {
    if was.durable == is.durable {
        return None;
    }
    let Some(durable) = &is.durable else {
        return Some(say!(language, "all of it durable", "全部已落盘"));
    };
    let Durable { term, vote, commit, applied, .. } = **durable;
    let last = durable.log.last_index();
    Some(say!(
        language,
        "durable: term {term} vote {vote} log to {last} commit {commit} applied {applied}",
        "已落盘：term {term} 投票 {vote} 日志到 {last} commit {commit} applied {applied}"
    ))
}

fn number(what: &str, was: u64, is: u64) -> Option<String> {
    (was != is).then(|| format!("{what} {was}->{is}"))
}

fn follows(language: Language, peer: &Peer) -> Option<String> {
    let Peer { leader, term, .. } = peer;
    (peer.role == Role::Follower && *leader != 0)
        .then(|| say!(language, "follows peer {leader} in term {term}", "在 term {term} 跟随 peer {leader}"))
}

fn role_changes(language: Language, was: &Peer, is: &Peer) -> Vec<String> {
    let mut words = Vec::new();
    let new_leader = is.leader != was.leader || is.term != was.term;
    if was.role != is.role || (is.role != Role::Follower && is.term != was.term) {
        words.push(match is.role {
            Role::Follower => {
                let (role, term) = (was.role, is.term);
                say!(language, "no longer {role}, term {term}", "不再是 {role}，term {term}")
            }
            role if is.is_by_force() => {
                let leads = role_of_term(language, role, is.term);
                say!(language, "{leads}, by force", "{leads}，强制")
            }
            role => role_of_term(language, role, is.term),
        });
    } else if is.term != was.term && follows(language, is).is_none() {
        words.push(format!("term {}->{}", was.term, is.term));
    }
    if is.role == Role::Follower && new_leader {
        words.extend(follows(language, is));
        if is.leader == 0 && was.leader != 0 && was.role == Role::Follower {
            words.push(say!(language, "knows no leader", "不知道 leader"));
        }
    }
    if was.vote != is.vote && is.vote != 0 && is.vote != is.id {
        let vote = is.vote;
        words.push(say!(language, "votes for peer {vote}", "投给 peer {vote}"));
    }
    if let (Some(old), Some(new)) = (&was.campaign, &is.campaign) {
        if old.granted != new.granted {
            let granted = joined(&new.granted, " ");
            words.push(say!(language, "granted by {granted}", "得票：{granted}"));
        }
        if old.rejected != new.rejected {
            let rejected = joined(&new.rejected, " ");
            words.push(say!(language, "rejected by {rejected}", "被拒：{rejected}"));
        }
    }
    words
}

fn log_changes(language: Language, was: &Log, is: &Log) -> Vec<String> {
    let mut words = Vec::new();
    let same = |index: u64| was.entry(index).is_none() || was.entry(index) == is.entry(index);
    if was.truncated != is.truncated {
        let to = is.truncated.index;
        words.push(if to > was.last_index() {
            say!(language, "log restarts after {to}", "日志从 {to} 之后重新开始")
        } else {
            say!(language, "log compacted to {to}", "日志压缩到 {to}")
        });
    }
    let new: Vec<(u64, &Entry)> =
        is.iter().filter(|(index, entry)| was.entry(*index) != Some(*entry)).collect();
    if let (Some((first, _)), Some((last, _))) = (new.first(), new.last()) {
        let entries = joined(new.iter().map(|(_, entry)| entry_words(language, entry)), "; ");
        let range = if first == last { first.to_string() } else { format!("{first}..{last}") };
        words.push(if new.iter().all(|(index, _)| same(*index)) {
            say!(language, "log {range} ({entries})", "日志 {range}（{entries}）")
        } else {
            say!(language, "log {range} overwritten ({entries})", "日志 {range} 被覆盖（{entries}）")
        });
    }
    if is.last_index() < was.last_index() {
        let last = is.last_index();
        words.push(say!(language, "log cut back to {last}", "日志截回到 {last}"));
    }
    words
}

fn entry_words(language: Language, entry: &Entry) -> String {
    entry.command.as_ref().map_or_else(|| say!(language, "empty", "空"), |command| language.of(command))
}

fn region_changes(language: Language, was: &Peer, is: &Peer) -> Vec<String> {
    let (old, new) = (&was.region, &is.region);
    let mut words = Vec::new();
    if old.epoch != new.epoch {
        let parts = [
            number("conf_ver", old.epoch.conf_ver, new.epoch.conf_ver),
            number("version", old.epoch.version, new.epoch.version),
        ];
        words.push(format!("epoch {}", joined(parts.into_iter().flatten(), " ")));
    }
    if old.peers != new.peers {
        words.push(format!("peers {{{}}}", joined(&new.peers, " ")));
    }
    if (&old.start, &old.end) != (&new.start, &new.end) {
        let (start, end) = (&new.start, &new.end);
        words.push(say!(language, "range [{start}, {end})", "范围 [{start}, {end})"));
    }
    words
}

fn data_changes(language: Language, was: &Peer, is: &Peer) -> Vec<String> {
    let written = is.data.iter().filter(|(key, value)| was.data.get(*key) != Some(*value));
    let gone = was.data.keys().filter(|key| !is.data.contains_key(*key));
    let (deleted, left): (Vec<_>, Vec<_>) = gone.partition(|key| is.region.contains(key));
    let mut words: Vec<_> = written.map(|(key, value)| format!("{key}={value}")).collect();
    words.extend(deleted.iter().map(|key| say!(language, "{key} deleted", "{key} 没了")));
    if !left.is_empty() {
        let left = joined(left, " ");
        words.push(say!(language, "no longer has {left}", "把 {left} 留给别人"));
    }
    words
}

fn leading_changes(
    language: Language,
    own: PeerId,
    was: Option<&Leading>,
    is: Option<&Leading>,
) -> Vec<String> {
    let Some(is) = is else { return Vec::new() };
    let nothing = Leading::default();
    let first_of_term = was.is_none();
    let was = was.unwrap_or(&nothing);
    let mut words = Vec::new();
    if !first_of_term {
        // A leader's own index is obvious.
        for (&peer, &index) in is.matched.iter().filter(|(peer, _)| **peer != own) {
            if was.matched.get(&peer).is_some_and(|known| *known < index) {
                words.push(say!(language, "peer {peer} matched at {index}", "知道 peer {peer} 到了 {index}"));
            }
        }
    }
    if was.sent_snapshot < is.sent_snapshot {
        let index = is.sent_snapshot;
        words.push(say!(language, "sent a snapshot up to {index}", "发出到 {index} 的快照"));
    }
    if was.transfer != is.transfer {
        words.push(match is.transfer {
            None => say!(language, "ends its transfer", "不再让位"),
            Some(Transfer { to, timeout_now: true }) => {
                say!(
                    language,
                    "transfers leadership to peer {to}, TimeoutNow sent",
                    "让位给 peer {to}，TimeoutNow 在路上"
                )
            }
            Some(Transfer { to, .. }) => {
                say!(language, "transfers leadership to peer {to}", "让位给 peer {to}")
            }
        });
    }
    words
}

fn read_changes(language: Language, was: Option<&Read>, is: Option<&Read>) -> Vec<String> {
    match (was, is) {
        (old, Some(new)) if old != Some(new) => {
            let state = if new.ready {
                say!(language, "ready", "可以回答")
            } else {
                let acks = joined(&new.acks, " ");
                say!(language, "acknowledged by {acks}", "已确认：{acks}")
            };
            let Read { key, index, .. } = new;
            vec![say!(language, "reads {key} at {index}, {state}", "在 {index} 读 {key}，{state}")]
        }
        (Some(_), None) => vec![say!(language, "its read has ended", "它的读结束了")],
        _ => Vec::new(),
    }
}

/// The messages that were added, under `here`, and those that were taken, under `gone`.
fn message_changes(
    language: Language,
    before: &[Held],
    after: &[Held],
    [here, gone]: [&str; 2],
) -> Vec<String> {
    let line = |word: &str, message: &Held| {
        let message = language.of(message);
        say!(language, "{word}: {message}", "{word}：{message}")
    };
    // Messages are added at the end and taken from anywhere.
    let mut left: Vec<&Held> = before.iter().collect();
    let mut words = Vec::new();
    for message in after {
        match left.iter().position(|old| *old == message) {
            Some(at) => drop(left.remove(at)),
            None => words.push(line(here, message)),
        }
    }
    words.extend(left.iter().map(|message| line(gone, message)));
    words
}
