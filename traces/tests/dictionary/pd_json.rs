//! What pd-ctl prints, in a scope's `regions` and `stores`.

use rollcall_traces::{Action, MemberRole, Scenario, Scope};

const STEP: &str = r#"{"record":"step","action":{"restart":{"store":3}}}"#;

fn read(stores: &str, regions: &str, more: &str) -> Result<Scope, String> {
    let header = format!(
        r#"{{"record":"header","schema":"rollcall-trace/1","scenario":"x","scope":{{"name":"x","stores":[{stores}],"regions":[{regions}]{more}}}}}"#
    );
    let scenario = Scenario::parse("x.jsonl", &format!("{header}\n{STEP}\n"));
    scenario.map(|scenario| scenario.header.scope).map_err(|error| error.to_string())
}

const JOINT: &str = r#"{"id":9,"start_key":"","end_key":"6D","epoch":{"version":3},"peers":[
    {"id":1,"store_id":1,"role_name":"Voter"},{"id":2,"store_id":2,"role":3,"role_name":"DemotingVoter"},
    {"id":3,"store_id":3,"role":2},{"id":4,"store_id":4,"is_learner":true}],
    "leader":{"id":1,"store_id":1,"role_name":"Voter"},"pending_peers":[{"id":4,"store_id":4}],"approximate_size":96}"#;

#[test]
fn a_region_has_its_roles_keys_and_epoch_and_begins_as_it_is_led() {
    let scope = read("1,2,3,4", &JOINT.replace('\n', ""), "").expect("it is a scope");
    let region = &scope.regions[0];
    let roles: Vec<MemberRole> = region.peers.iter().map(|member| member.role).collect();
    use MemberRole::{DemotingVoter, IncomingVoter, Learner, Voter};
    assert_eq!(roles, [Voter, DemotingVoter, IncomingVoter, Learner]);
    assert_eq!((region.epoch.conf_ver, region.epoch.version), (0, 3), "what is zero is not printed");
    assert_eq!(region.end.to_string(), "m");
    let begin: Vec<String> = scope.setup.iter().map(ToString::to_string).collect();
    assert_eq!(
        begin,
        [
            "Campaign region 9: store 1",
            "Vote region 9: store 1 asks store 2",
            "Vote region 9: store 1 asks store 3",
            "Replicate region 9: store 1 -> store 2 (all entries)",
            "Replicate region 9: store 1 -> store 3 (all entries)",
            "Replicate region 9: store 1 -> store 2 (all entries)",
            "Replicate region 9: store 1 -> store 3 (all entries)",
        ],
        "both majorities of the joint configuration, and nothing to who is pending"
    );
}

#[test]
fn lists_and_leaderless_regions_are_taken_and_ids_stay_ids() {
    let leaderless = JOINT
        .replace(r#""id":1,"store_id":1,"role_name":"Voter"},"pending"#, r#""role_name":"Voter"},"pending"#);
    let leaderless = leaderless.replace('\n', "");
    let scope =
        read("1,2,3,4", &format!(r#"{{"count":1,"regions":[{leaderless}]}}"#), "").expect("it is a scope");
    assert_eq!((scope.regions.len(), scope.setup.len()), (1, 0), "nobody is said to lead");
    let down = r#"{"store":{"id":2,"state_name":"Down"},"status":{"capacity":"1TiB"}}"#;
    let led = read(&format!("1,{down},3,4"), &leaderless, "").expect("it is a scope");
    assert_eq!((led.stores, led.setup), (vec![1, 2, 3, 4], vec![Action::Crash { store: 2 }]));
}

#[test]
fn what_pd_ctl_does_not_print_or_cannot_be_is_refused() {
    let joint = JOINT.replace('\n', "");
    for (stores, regions, says) in [
        (
            "1,2,3,4",
            joint.replace("pending_peers", "pending_peer"),
            "no field `pending_peer`; did you mean `pending_peers`?",
        ),
        ("1,2,3,4", joint.replace("\"DemotingVoter\"", "\"Demoting\""), "no role is named `Demoting`"),
        ("1,2,3,4", joint.replace("\"store_id\":3,", ""), "a peer needs `id` and `store_id`"),
        ("1,2,3,4", joint.replace("\"end_key\":\"6D\"", "\"end_key\":\"6\""), "odd number of hex digits"),
        (
            r#"{"id":1,"state_name":"Down"},2,3,4"#,
            joint.clone(),
            "the leader of region 9 is on store 1, which is down",
        ),
        (r#"1,{"id":2,"state_name":"Down"},3,4"#, joint.clone(), "too few voters are up to elect peer 1"),
        (r#"1,2,3,{"id":4,"state_name":"Offline"}"#, joint.clone(), "no PD schedules"),
        (r#"1,2,3,{"id":4,"state_name":"Tombstone"}"#, joint.clone(), "it has left; leave it out"),
        (r#"1,2,3,{"id":4,"state_nam":"Up"}"#, joint.clone(), "no field `state_nam`"),
    ] {
        let error = read(stores, &regions, "").expect_err(says);
        assert!(error.starts_with("x.jsonl:1:") && error.contains(says), "`{says}` is not said: {error}");
    }
}

/// What PD believes beside the truth makes nobody lead, and is of the scope's regions.
#[test]
fn what_is_believed_is_apart_from_what_is_true() {
    let truth = r#"{"id":9,"start":"","end":"","epoch":{"conf_ver":2,"version":3},"peers":[{"id":1,"store":1,"role":"voter"}]}"#;
    let believed = JOINT.replace('\n', "").replace("6D", "");
    let of =
        |believed: &str, more: &str| read("1,2,3,4", truth, &format!(r#","believed":[{believed}]{more}"#));
    let placed = r#","next_id":100,"max_replicas":1"#;
    let scope = of(&believed, placed).expect("it is a scope");
    assert_eq!((scope.believed.len(), scope.setup.len()), (1, 0));
    assert_eq!(scope.believed_regions().map(|region| region.peers.len()).collect::<Vec<_>>(), [4]);
    assert_eq!(scope.regions[0].peers.len(), 1);
    for (believed, more, says) in [
        (believed.clone(), "", "`believed` needs a PD that schedules: set max_replicas"),
        (believed.replace("\"id\":9", "\"id\":8"), placed, "region 8, which is not among the regions"),
        (
            believed.replace("\"store_id\":4", "\"store_id\":7"),
            placed,
            "a peer of region 9 on store 7, which is not among the stores",
        ),
        (format!("{believed},{believed}"), placed, "`believed` names a region twice"),
    ] {
        let error = of(&believed, more).expect_err(says);
        assert!(error.contains(says), "`{says}` is not said: {error}");
    }
}
