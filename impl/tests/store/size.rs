//! Regions that grow until they split, and the size hints that trigger the check.

use rollcall_impl::{
    Command, Config, ConfigError, Derive, Dropped, Guard, Guards, IdAllocator, Input, MemoryEngine, Output,
    Refusal, Sound, StateRole, SyncedStore,
};

use crate::cluster::{CHILD, Cluster, REGION, bytes, put, region, split};

const SMALL: Config = Config {
    max_size: 8,
    split_size: 5,
    split_check_diff: 2,
    split_derive: Derive::Right,
    ..Config::SIMULATOR
};

/// A region with a single replica, which leads.
fn alone<G: Guards>(guards: G, config: Config) -> Cluster<G> {
    let mut cluster = Cluster::new(guards, 1, &[]);
    let mut store = SyncedStore::open(1, config, guards, MemoryEngine::new()).unwrap();
    store.bootstrap(region(&[1])).unwrap();
    cluster.stores.insert(1, store);
    cluster.elect(1);
    cluster
}

fn check<G: Guards>(cluster: &mut Cluster<G>) -> Option<(Vec<String>, Derive)> {
    let outputs = cluster.outputs(1, Input::SplitCheck { region: REGION }).unwrap();
    match &outputs[..] {
        [] => None,
        [Output::AskSplit { keys, derive, region, .. }] => {
            assert_eq!(region, cluster.peer(1).region());
            Some((keys.iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect(), *derive))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_region_above_its_size_asks_for_a_split_until_it_is_split() {
    let mut cluster = alone(Sound, SMALL);
    for key in ["a", "b", "c", "d"] {
        cluster.propose(1, put(key)).unwrap();
    }
    assert_eq!(cluster.peer(1).size_delta(), 8);
    assert_eq!(check(&mut cluster), None, "8 bytes are allowed");
    assert_eq!((cluster.peer(1).approximate_size(), cluster.peer(1).size_delta()), (Some(8), 0));
    cluster.propose(1, put("e")).unwrap();
    let expected = Some((vec!["c".to_owned()], Derive::Right));
    assert_eq!(check(&mut cluster), expected);
    assert_eq!((cluster.peer(1).approximate_size(), cluster.peer(1).size_delta()), (None, 0));
    // The response was lost. Nothing was written since, and it asks again.
    assert_eq!(check(&mut cluster), expected);
    cluster.propose(1, split("c", 1)).unwrap();
    cluster.step(1, Input::Apply { region: REGION }).unwrap();
    cluster.propose(1, put("b")).unwrap();
    assert_eq!((cluster.peer(1).approximate_size(), cluster.peer(1).size_delta()), (None, 2));
    assert_eq!(check(&mut cluster), None);
    assert_eq!(cluster.peer(1).approximate_size(), Some(4));
    assert_eq!(cluster.of(1, CHILD).approximate_size(), None);
}

/// The size of the whole region says nothing about a part.
#[test]
fn a_region_that_is_divided_is_of_unknown_size() {
    let mut cluster = alone(Sound, SMALL);
    for key in ["a", "b", "c"] {
        cluster.propose(1, put(key)).unwrap();
    }
    assert_eq!(check(&mut cluster), None);
    cluster.propose(1, put("d")).unwrap();
    assert_eq!((cluster.peer(1).approximate_size(), cluster.peer(1).size_delta()), (Some(6), 2));
    cluster.propose(1, split("c", 1)).unwrap();
    cluster.step(1, Input::Apply { region: REGION }).unwrap();
    assert_eq!((cluster.peer(1).approximate_size(), cluster.peer(1).size_delta()), (None, 0));
}

#[test]
fn little_written_is_not_looked_at() {
    let mut cluster = alone(Sound, Config { split_check_diff: 4, ..SMALL });
    assert_eq!(check(&mut cluster), None);
    assert_eq!(cluster.peer(1).approximate_size(), Some(0));
    cluster.propose(1, put("a")).unwrap();
    assert_eq!(check(&mut cluster), None);
    assert_eq!((cluster.peer(1).approximate_size(), cluster.peer(1).size_delta()), (Some(0), 2));
    cluster.propose(1, put("a")).unwrap();
    assert_eq!(check(&mut cluster), None);
    assert_eq!((cluster.peer(1).approximate_size(), cluster.peer(1).size_delta()), (Some(2), 0));
}

#[test]
fn followers_count_and_only_leaders_look() {
    let mut cluster = Cluster::new(Sound, 2, &[1, 2]);
    cluster.elect(1);
    cluster.propose(1, put("a")).unwrap();
    cluster.settle(1);
    assert_eq!(cluster.outputs(2, Input::SplitCheck { region: REGION }), Ok(Vec::new()));
    assert_eq!((cluster.peer(2).approximate_size(), cluster.peer(2).size_delta()), (None, 2));
    let absent = cluster.step(1, Input::SplitCheck { region: CHILD });
    assert_eq!(absent, Err(Refusal::RegionNotFound));
}

#[test]
fn sizes_that_cannot_work_are_refused() {
    assert_eq!(SMALL.validate(), Ok(()));
    assert_eq!(Config::SIMULATOR.validate(), Ok(()));
    for (split, max) in [(0, 8), (9, 8)] {
        let config = Config { split_size: split, max_size: max, ..SMALL };
        assert_eq!(config.validate(), Err(ConfigError::SplitSize { split, max }));
    }
}

#[test]
fn timeouts_that_cannot_work_are_refused() {
    for (heartbeat, election) in [(0, 2), (2, 2), (3, 2)] {
        let config =
            Config { heartbeat_tick: heartbeat, election_tick: election, drawn_election_tick: 9, ..SMALL };
        assert_eq!(config.validate(), Err(ConfigError::Heartbeat { heartbeat, election }));
    }
    let config = Config { election_tick: 4, drawn_election_tick: 3, ..SMALL };
    assert_eq!(config.validate(), Err(ConfigError::Drawn { drawn: 3, election: 4 }));
    assert_eq!(Config { drawn_election_tick: 4, ..config }.validate(), Ok(()));
}

/// A store that gets another election timeout uses it for later peers, and refuses one that is too
/// short.
#[test]
fn drawn_election_timeouts_are_for_peers_that_come_later() {
    let mut cluster = Cluster::new(Sound, 1, &[]);
    let store = cluster.stores.get_mut(&1).unwrap();
    let short = store.draw_election_tick(1);
    assert_eq!(short, Err(ConfigError::Drawn { drawn: 1, election: 2 }));
    assert_eq!(store.draw_election_tick(7), Ok(()));
    store.bootstrap(region(&[1])).unwrap();
    for tick in 1..=7 {
        assert_eq!(cluster.peer(1).role(), StateRole::Follower, "before tick {tick}");
        cluster.step(1, Input::Tick { region: REGION }).unwrap();
    }
    assert_eq!(cluster.peer(1).role(), StateRole::Leader);
}

/// Regions and children split until none is too big.
#[test]
fn regions_divide_until_all_are_small() {
    let mut cluster = alone(Sound, SMALL);
    let mut allocator = IdAllocator { next_id: 100 };
    for key in 'a'..='z' {
        cluster.propose(1, put(&key.to_string())).unwrap();
    }
    loop {
        let mut asked = false;
        let regions: Vec<_> = cluster.stores[&1].regions().collect();
        for region in regions {
            for output in cluster.outputs(1, Input::SplitCheck { region }).unwrap() {
                let Output::AskSplit { region: known, keys, derive, .. } = output else { continue };
                let (epoch, children) = (known.epoch, allocator.allot(&known, &keys));
                cluster.step(1, Input::AskSplitResponse { region, epoch, children, derive }).unwrap();
                cluster.step(1, Input::Apply { region }).unwrap();
                asked = true;
            }
        }
        if !asked {
            break;
        }
    }
    let regions: Vec<_> = cluster.stores[&1].regions().collect();
    assert!(regions.iter().all(|region| cluster.keys(1, *region).len() <= 4), "{regions:?}");
    let all: usize = regions.iter().map(|region| cluster.keys(1, *region).len()).sum();
    assert_eq!((regions.len() > 6, all), (true, 26));
}

/// Row 31: the hint stays at 0, and after the first check there is no other.
#[test]
fn size_counts_writes() {
    fn asks_for_a_split(guards: impl Guards) -> bool {
        let mut cluster = alone(guards, SMALL);
        check(&mut cluster);
        for key in ["a", "b", "c", "d", "e"] {
            cluster.propose(1, put(key)).unwrap();
        }
        check(&mut cluster).is_some()
    }
    assert!(asks_for_a_split(Sound));
    assert!(!asks_for_a_split(Dropped(Guard::SizeCountsWrites)));
}

/// Row 31: after more deletes than writes, every check reads all data.
#[test]
fn size_delta_saturates() {
    fn looks_after_a_delete(guards: impl Guards) -> bool {
        let mut cluster = alone(guards, SMALL);
        cluster.propose(1, put("a")).unwrap();
        check(&mut cluster);
        cluster.propose(1, Command::Delete { key: bytes("a") }).unwrap();
        check(&mut cluster);
        cluster.peer(1).approximate_size() == Some(0)
    }
    assert!(!looks_after_a_delete(Sound));
    assert!(looks_after_a_delete(Dropped(Guard::SizeDeltaSaturates)));
}
