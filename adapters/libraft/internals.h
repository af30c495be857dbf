/* What libraft 0.15 keeps to itself and an adapter has to see or call. The static library has these functions, and
 * the public header the structures that they work on. Another version may need other lines. */
#ifndef INTERNALS_H
#define INTERNALS_H

#include <raft.h>

enum { PROGRESS_SNAPSHOT = 2 };

unsigned configurationIndexOf(const struct raft_configuration *c, raft_id id);
unsigned configurationIndexOfVoter(const struct raft_configuration *c, raft_id id);
unsigned configurationVoterCount(const struct raft_configuration *c);
int configurationCopy(const struct raft_configuration *from, struct raft_configuration *to);

raft_index progressMatchIndex(struct raft *r, unsigned i);
int progressState(struct raft *r, unsigned i);
int progressRebuildArray(struct raft *r, const struct raft_configuration *c);
void progressToProbe(struct raft *r, unsigned i);
void progressAbortSnapshot(struct raft *r, unsigned i);
void progressMarkRecentRecv(struct raft *r, unsigned i);
void progressOptimisticNextIndex(struct raft *r, unsigned i, raft_index next);
int replicationProgress(struct raft *r, unsigned i);

int convertToCandidate(struct raft *r, bool disrupt_leader);
void convertToFollower(struct raft *r);
int recvBumpCurrentTerm(struct raft *r, raft_term term);
int membershipCanChangeConfiguration(struct raft *r);

raft_index logLastIndex(struct raft_log *l);
raft_term logTermOf(struct raft_log *l, raft_index index);
void logSnapshot(struct raft_log *l, raft_index last, unsigned trailing);

#endif
