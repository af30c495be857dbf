"""A cluster of one file, of level `world` (see ../README.md): one region of voters who stay, on the raft of raft.py.

`python3 cluster.py` has that raft's bug, and `python3 cluster.py --right` has not.
"""

import json
import sys

from raft import RIGHT, Raft

HANDSHAKE = {"protocol": 1, "level": "world", "name": "cluster of one file", "has": []}
HANDSHAKE["version"] = "right" if RIGHT else "with a bug"
BEGIN = {"index": 5, "term": 5}


class Refused(Exception):
    """Nothing has changed, and this is why."""


class Cluster:
    def __init__(self, scope):
        self.region = scope["regions"][0]
        if len(scope["regions"]) > 1 or any(peer["role"] != "voter" for peer in self.region["peers"]):
            raise Refused("there is one region of voters here")
        self.ids = {peer["store"]: peer["id"] for peer in self.region["peers"]}
        self.up = dict.fromkeys(scope["stores"], True)
        self.requests = {}
        begin = {"term": 5, "commit": 5, "applied": 5, "truncated": [5, 5]}
        self.rafts = {store: self.opened(id, begin) for store, id in self.ids.items()}

    def opened(self, id, disk):
        return Raft({"id": id, "conf": {"voters": sorted(self.ids.values())}, **disk})

    def live(self, store, role=None):
        if not self.up.get(store) or store not in self.rafts:
            raise Refused(f"store {store} does not run, or has no peer")
        if role and self.rafts[store].role != role:
            raise Refused(f"the peer on store {store} is no {role}")
        return self.rafts[store]

    def deliver(self, store, message):
        """The receiver's answers. It applies what is committed at once."""
        raft = self.live(store)
        if message["term"] < raft.term:
            raise Refused("the message is of an older term")
        raft.begin()
        raft.step(message)
        raft.applied = raft.commit
        return raft.sent

    def round(self, sender, receiver, message, answers, reply):
        if reply == "delayed":
            raise Refused("nothing is late here")
        sent = self.deliver(receiver, message)
        for answer in sent if reply == "delivered" else []:
            if answer["type"] == answers and answer["term"] >= self.live(sender).term:
                self.deliver(sender, answer)

    # Actions of the dictionary, ../../docs/actions.md.

    def campaign(self, region, store):
        raft = self.live(store)
        if raft.role == "leader":
            raise Refused("it leads")
        raft.begin()
        raft.campaign()
        raft.applied = raft.commit
        self.requests[store] = {message["to"]: message for message in raft.sent if message["type"] == "vote"}

    def vote(self, region, candidate, voter, reply):
        self.live(candidate, "candidate")
        request = self.requests[candidate].get(self.ids.get(voter))
        if not request:
            raise Refused("it asks others")
        self.round(candidate, voter, request, "vote_answer", reply)

    def replicate(self, region, leader, follower, entries, reply):
        raft, other = self.live(leader, "leader"), self.live(follower)
        if raft is other:
            raise Refused("it has what it has")
        last = min(raft.last()[0], other.last()[0])
        prefix = next(at for at in range(last, 0, -1) if raft.term_at(at) == other.term_at(at))
        raft.begin()
        raft.send_append(other.id, prefix + 1, entries == "one")
        self.round(leader, follower, raft.sent[-1], "append_answer", reply)

    def propose(self, region, store, command, epoch=None):
        raft = self.live(store, "leader")
        if not command.keys() & {"put", "delete"}:
            raise Refused("puts and deletes alone")
        raft.propose({"command": command, "epoch": self.region["epoch"]})
        raft.applied = raft.commit

    def crash(self, store):
        self.live(store)
        self.up[store] = False
        raft = self.rafts[store]
        disk = {name: getattr(raft, name) for name in ("term", "vote", "commit", "applied", "truncated", "entries")}
        self.rafts[store] = self.opened(raft.id, disk)

    def restart(self, store):
        if self.up.get(store, True):
            raise Refused("it runs")
        self.up[store] = True

    def take(self, action):
        ((name, fields),) = action.items() if isinstance(action, dict) else [(action, {})]
        if name not in ("campaign", "vote", "replicate", "propose", "crash", "restart"):
            raise Refused(f"there is no `{name}` here")
        before = self.view()
        getattr(self, name)(**fields)
        if self.view() == before:
            raise Refused("nothing comes of it")

    # What there is to see.

    def peer(self, raft):
        entries = [{"term": e["term"], **(e.get("data") or {})} for e in raft.entries]
        data = {}
        for command in (e["command"] for e in entries[: raft.applied - BEGIN["index"]] if "command" in e):
            ((kind, fields),) = command.items()
            data.pop(fields["key"], None)
            data.update({fields["key"]: fields["value"]} if kind == "put" else {})
        peer = {"id": raft.id, "state": "normal", "role": raft.role, "term": raft.term, "vote": raft.vote}
        peer |= {"leader": raft.leader, "commit": raft.commit, "applied": raft.applied, "region": self.region}
        peer |= {"log": {"truncated": BEGIN, "entries": entries}, "data": data}
        if raft.role == "candidate":
            votes = {True: "granted", False: "rejected"}
            of = {votes[is_for]: [i for i, vote in raft.votes.items() if vote == is_for] for is_for in votes}
            peer["campaign"] = {"commit": {"index": raft.commit, "term": raft.term_at(raft.commit)}, **of}
        if raft.role == "leader":
            peer["leading"] = {"matched": raft.matched, "pending_conf_index": raft.pending}
        return peer

    def view(self):
        key = str(self.region["id"])
        covers = [{"start": self.region["start"], "end": self.region["end"], "region": self.region["id"]}]
        stores = {str(store): {"status": "up" if up else "down"} for store, up in self.up.items()}
        for store, raft in self.rafts.items():
            stores[str(store)] |= {"peers": {key: self.peer(raft)}, "ranges": covers}
        return json.loads(json.dumps({"stores": stores}))


def main():
    cluster = None
    for line in sys.stdin:
        question = json.loads(line)
        answer = {"seq": question.pop("seq")}
        ((verb, fields),) = question.items()
        try:
            if verb == "hello":
                answer["ok"] = HANDSHAKE
            elif verb == "reset":
                cluster = Cluster(fields["scope"])
                answer["ok"] = {"view": cluster.view()}
            else:
                cluster.take(fields["action"])
                answer["ok"] = {"outcome": "done", "view": cluster.view()}
        except Refused as why:
            answer["refused"] = str(why)
        except Exception as broken:
            answer["failed"] = f"{type(broken).__name__}: {broken}"
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
