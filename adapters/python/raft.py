"""A raft of one file, to begin an adapter from: see ../skeletons.md.

`python3 raft.py` has a bug, and `python3 raft.py --right` has not.
"""

import copy
import json
import sys

RIGHT = "--right" in sys.argv[1:]


class Raft:
    """One replica. Its log is `entries` behind `truncated`, an index and a term."""

    def __init__(self, open):
        self.id, self.term, self.vote = open["id"], open["term"], open.get("vote", 0)
        self.commit, self.applied = open["commit"], open["applied"]
        self.truncated, self.entries = tuple(open["truncated"]), open.get("entries", [])
        conf = open.get("conf", {})
        self.voters, self.learners = set(conf.get("voters", [])), set(conf.get("learners", []))
        self.role, self.leader, self.votes, self.matched, self.pending = "follower", 0, {}, {}, 0
        self.waiting = None
        self.begin()

    def begin(self):
        """What an answer says beside the status begins empty."""
        self.appended, self.sent, self.snapshot = [], [], None

    # The log.

    def last(self):
        return (self.entries[-1]["index"], self.entries[-1]["term"]) if self.entries else self.truncated

    def term_at(self, index):
        if index == self.truncated[0]:
            return self.truncated[1]
        at = index - self.truncated[0] - 1
        return self.entries[at]["term"] if 0 <= at < len(self.entries) else None

    def append(self, entry):
        del self.entries[entry["index"] - self.truncated[0] - 1 :]
        self.entries.append(entry)
        self.appended.append(entry)

    # Roles.

    def follow(self, term, leader):
        if term != self.term:
            self.term, self.vote = term, 0
        self.role, self.leader, self.votes, self.matched, self.pending = "follower", leader, {}, {}, 0

    def members(self):
        return self.voters | self.learners

    def quorum(self, ids):
        return len(self.voters & set(ids)) > len(self.voters) // 2

    def promotable(self):
        return self.id in self.voters

    def campaign(self):
        if self.role == "leader" or not self.promotable() or self.has_change(self.applied, self.commit):
            return
        self.follow(self.term + 1, 0)
        self.role, self.vote, self.votes = "candidate", self.id, {self.id: True}
        index, term = self.last()
        for voter in sorted(self.voters - {self.id}):
            self.send("vote", voter, index=index, log_term=term)
        self.count_votes()

    def has_change(self, after, to):
        return any(e.get("change") for e in self.entries if after < e["index"] <= to)

    def count_votes(self):
        if self.quorum(i for i, granted in self.votes.items() if granted):
            self.role, self.leader, self.votes = "leader", self.id, {}
            self.matched, self.pending = dict.fromkeys(self.members(), 0), self.last()[0]
            self.lead_entry({})
        elif not self.quorum(i for i in self.voters if self.votes.get(i, True)):
            self.follow(self.term, 0)

    def lead_entry(self, what):
        """A leader appends an entry, and sends it to who has what is before it."""
        self.append({"index": self.last()[0] + 1, "term": self.term, **what})
        self.matched[self.id] = self.last()[0]
        self.try_commit()
        self.send_all()

    def send_all(self):
        for to in sorted(self.members() - {self.id}):
            self.send_append(to, self.matched[to] + 1 if self.matched[to] else self.last()[0])

    def try_commit(self):
        for index in range(self.last()[0], self.commit, -1):
            has = self.quorum(i for i, matched in self.matched.items() if matched >= index)
            # The bug: a majority has the entry, and that is taken to be enough. An entry of an
            # earlier term may still be written over (Raft paper, figure 8).
            if has and (self.term_at(index) == self.term or not RIGHT):
                self.commit = index
                return True
        return False

    # Messages.

    def send(self, type, to, **fields):
        self.sent.append({"type": type, "from": self.id, "to": to, "term": self.term, **fields})

    def send_append(self, to, after, one=False):
        """Sends the entries from `after` on, or a snapshot where they are discarded."""
        if after <= self.truncated[0]:
            position = {"index": self.applied, "term": self.term_at(self.applied), "conf": self.conf()}
            return self.send("snapshot", to, snapshot=position)
        entries = [e for e in self.entries if e["index"] >= after]
        entries = entries[:1] if one else entries
        previous = {"index": after - 1, "log_term": self.term_at(after - 1)}
        self.send("append", to, commit=self.commit, entries=entries, **previous)

    def step(self, m):
        if m["term"] < self.term:
            return
        if m["term"] > self.term:
            is_of_leader = m["type"] in ("append", "heartbeat", "snapshot")
            self.follow(m["term"], m["from"] if is_of_leader else 0)
        getattr(self, "on_" + m["type"])(m, m.get("index", 0), m.get("log_term", 0))

    def on_vote(self, m, index, term):
        free = self.vote == m["from"] or (self.vote == 0 and self.leader == 0)
        grants = free and (term, index) >= self.last()[::-1]
        if grants:
            self.vote = m["from"]
        self.send("vote_answer", m["from"], reject=not grants)

    def on_vote_answer(self, m, index, term):
        if self.role == "candidate":
            self.votes.setdefault(m["from"], not m.get("reject", False))
            self.count_votes()

    def on_append(self, m, index, term):
        self.follow(self.term, m["from"])
        if index < self.commit:
            return self.send("append_answer", m["from"], index=self.commit)
        if self.term_at(index) != term:
            return self.send("append_answer", m["from"], index=index, reject=True)
        for entry in m.get("entries", []):
            if self.term_at(entry["index"]) != entry["term"]:
                self.append(entry)
        reached = index + len(m.get("entries", []))
        self.commit = max(self.commit, min(m.get("commit", 0), reached))
        self.send("append_answer", m["from"], index=reached)

    def on_append_answer(self, m, index, term):
        if self.role != "leader" or m["from"] not in self.matched:
            return
        if m.get("reject", False):
            return self.send_append(m["from"], max(self.matched[m["from"]] + 1, min(index, self.last()[0])))
        if index > self.matched[m["from"]]:
            self.matched[m["from"]] = index
            if self.try_commit():
                self.send_all()

    def on_heartbeat(self, m, index, term):
        self.follow(self.term, m["from"])
        self.commit = max(self.commit, min(m.get("commit", 0), self.last()[0]))
        self.send("heartbeat_answer", m["from"], context=m.get("context", ""))

    def on_heartbeat_answer(self, m, index, term):
        pass

    def on_snapshot(self, m, index, term):
        self.follow(self.term, m["from"])
        at = m["snapshot"]
        if at["index"] <= self.commit or self.id not in at["conf"]["voters"] + at["conf"].get("learners", []):
            return self.send("append_answer", m["from"], index=self.commit)
        if self.term_at(at["index"]) == at["term"]:
            self.commit = at["index"]
            return self.send("append_answer", m["from"], index=self.commit)
        self.waiting = self.snapshot = at

    # Verbs of the wire.

    def take_snapshot(self):
        at, self.waiting = self.waiting, None
        self.truncated, self.entries = (at["index"], at["term"]), []
        self.commit = self.applied = at["index"]
        self.voters, self.learners = set(at["conf"]["voters"]), set(at["conf"].get("learners", []))
        self.send("append_answer", self.leader, index=at["index"])

    def propose(self, data):
        if self.role == "leader":
            self.lead_entry({"data": data})

    def propose_change(self, change, data=""):
        if self.role != "leader":
            return
        if self.pending > self.applied:
            return self.lead_entry({})
        self.pending = self.last()[0] + 1
        self.lead_entry({"change": change, "data": data})

    def apply_change(self, change):
        for single in change["changes"]:
            self.voters.discard(single["peer"])
            self.learners.discard(single["peer"])
            kind = {"add_voter": self.voters, "add_learner": self.learners, "remove": set()}
            kind[single["kind"]].add(single["peer"])
        if self.role == "leader":
            self.matched = {i: self.matched.get(i, 0) for i in self.members()}
            if self.id in self.matched and self.try_commit():
                self.send_all()

    def applied_to(self, index):
        self.applied = index

    def compact(self, index):
        at = (index, self.term_at(index))
        self.entries = [e for e in self.entries if e["index"] > index]
        self.truncated = at

    def beat(self, to):
        for other in sorted(self.members() - {self.id}):
            self.send("heartbeat", other, commit=min(self.matched[other], self.commit))

    def conf(self):
        return {"voters": sorted(self.voters), "learners": sorted(self.learners)}

    def status(self):
        of = lambda index: [index, self.term_at(index) or 0]
        said = {"id": self.id, "term": self.term, "vote": self.vote, "role": self.role, "leader": self.leader}
        said |= {"commit": of(self.commit), "applied": of(self.applied), "last": list(self.last())}
        said |= {"promotable": self.promotable(), "votes": self.votes, "matched": self.matched}
        return said | {"pending_change": self.pending}


HANDSHAKE = {
    "protocol": 1,
    "level": "node",
    "name": "raft of one file",
    "version": "right" if RIGHT else "with a bug",
    "has": ["learners", "snapshots", "compact", "probe", "apply_when_told", "fork"],
    "dialect": ["votes_tell_no_commit"],
}


def take(replicas, verb, q):
    """Carries out one question on its replica; the answer's `ok`."""
    if verb == "hello":
        return HANDSHAKE
    if verb == "open":
        replicas[q["node"]] = Raft(q)
    if verb == "close":
        replicas.pop(q["node"], None)
        return {}
    if verb == "fork":
        replicas[q["as"]] = copy.deepcopy(replicas[q["node"]])
    raft = replicas[q["as"] if verb == "fork" else q["node"]]
    raft.begin()
    match verb:
        case "campaign" | "take_snapshot":
            getattr(raft, verb)()
        case "tick":
            pass  # Rollcall has a verb for all that a clock would do.
        case "step":
            raft.step(q["message"])
        case "propose":
            raft.propose(q["data"])
        case "propose_change" | "apply_change":
            getattr(raft, verb)(*[q[name] for name in ("change", "data") if name in q])
        case "applied":
            raft.applied_to(q["index"])
        case "compact":
            raft.compact(q["index"])
        case "probe":
            raft.send_append(q["to"], q["next"], q.get("one", False))
        case "beat":
            raft.beat(q["to"])
        case "follow":
            raft.follow(q["term"], 0)
    said = {"status": raft.status(), "appended": raft.appended, "sent": raft.sent}
    return said | ({"snapshot": raft.snapshot} if raft.snapshot else {})


def main():
    replicas = {}
    for line in sys.stdin:
        question = json.loads(line)
        seq = question.pop("seq")
        (verb, fields) = next(iter(question.items()))
        known = ["hello", "open", "close", "campaign", "tick", "step", "propose", "propose_change"]
        known += ["apply_change", "applied", "take_snapshot", "compact", "probe", "beat", "follow", "fork"]
        if verb not in known:
            answer = {"seq": seq, "refused": f"no verb `{verb}` here"}
        else:
            try:
                answer = {"seq": seq, "ok": take(replicas, verb, fields)}
            except Exception as broken:
                replicas.pop(fields.get("node"), None)
                answer = {"seq": seq, "failed": f"{type(broken).__name__}: {broken}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
