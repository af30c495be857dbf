//! `explore` over HTTP: the requests of the page, and the errors for wrong links.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use rollcall_checks::learn::{LESSONS, Lesson};
use serde_json::Value;

use super::{Folder, scenario};

/// A server on a free port; it stops when the test ends.
struct Server {
    child: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn of(folder: &Folder, arguments: &[&str]) -> Self {
        let arguments: Vec<&str> = ["explore", "--port", "0"].iter().chain(arguments).copied().collect();
        let mut command = folder.command(&arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let address = line.trim().trim_start_matches("http://").trim_end_matches('/').to_string();
        assert!(address.starts_with("127.0.0.1:"), "it is served on the loopback alone: {line}");
        Self { child, address }
    }

    fn ask(&self, request: &str, host: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("the server");
        let length = body.len();
        let text = format!(
            "{request} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(text.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a code");
        // A long response comes in chunks, each after its length.
        let body = if head.to_ascii_lowercase().contains("chunked") {
            body.split("\r\n").skip(1).step_by(2).collect()
        } else {
            body.to_string()
        };
        (code, body)
    }

    fn text(&self, path: &str) -> (u16, String) {
        self.ask(&format!("GET {path}"), &self.address, "")
    }

    fn json(&self, path: &str) -> Value {
        let (code, body) = self.text(path);
        assert_eq!(code, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
    }

    /// The error in the response to a wrong link.
    fn error(&self, path: &str) -> String {
        let (code, body) = self.text(path);
        assert!((400..500).contains(&code), "{path}: {code}: {body}");
        let answer: Value =
            serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"));
        answer["error"].as_str().expect("a sentence").to_string()
    }
}

const SCOPE: &str = "/api/state?scope=three_voters_to_one_smoke";

#[test]
fn a_state_is_shown_with_what_may_happen_and_what_may_not() {
    let folder = Folder::new();
    let server = Server::of(&folder, &[]);
    let first = server.json(SCOPE);
    assert_eq!(first["at"], 0);
    assert_eq!(first["view"]["stores"]["1"]["peers"]["1"]["role"], "leader");
    let offered = first["may"].as_array().expect("what may happen").clone();
    let refused = server.json(&SCOPE.replace("/state", "/refused"));
    let refused = refused.as_array().expect("what may not");
    assert!(!offered.is_empty() && !refused.is_empty());
    for next in &offered {
        let name = next["name"].as_str().expect("a name");
        let then = server.json(&format!("{SCOPE}&do={name}"));
        assert_eq!((&then["at"], &then["stopped"]), (&Value::from(1), &Value::Null), "{name}");
        assert_eq!(then["steps"][0]["changes"], next["changes"], "{name}");
    }
    for not in refused.iter().take(40) {
        let name = not["name"].as_str().expect("a name");
        assert!(!not["meaning"].as_str().expect("the reason in words").is_empty(), "{name}");
        let then = server.json(&format!("{SCOPE}&do={name}"));
        assert_eq!((&then["at"], &then["stopped"]["step"]), (&Value::from(0), &Value::from(1)), "{name}");
        assert!(
            then["stopped"]["because"]
                .as_str()
                .expect("why")
                .starts_with(not["reason"].as_str().expect("a reason"))
        );
    }
}

#[test]
fn a_refused_action_ends_a_link_and_the_state_before_is_shown() {
    let folder = Folder::new();
    let server = Server::of(&folder, &[]);
    let way = "campaign(region:1,store:2);apply_snapshot(region:1,store:3);campaign(region:1,store:1)";
    let shown = server.json(&format!("{SCOPE}&do={way}"));
    assert_eq!(shown["stopped"]["step"], 2);
    assert_eq!(shown["steps"].as_array().map(Vec::len), Some(1));
    assert_eq!(shown["view"]["stores"]["2"]["peers"]["1"]["role"], "candidate");
    // A link that ends before it does not report it.
    let before = server.json(&format!("{SCOPE}&at=0&do={way}"));
    assert_eq!((&before["at"], &before["stopped"]), (&Value::from(0), &Value::Null));
}

/// What is no action ends a link as well, with a name that may have been meant.
#[test]
fn an_unreadable_action_ends_a_link_and_the_state_before_is_shown() {
    let folder = Folder::new();
    let server = Server::of(&folder, &[]);
    let way = "campaign(region:1,store:2);explode;crash(store:1)";
    for through in ["", "&through=1"] {
        let shown = server.json(&format!("{SCOPE}&do={way}{through}"));
        let stopped = &shown["stopped"];
        assert_eq!((&stopped["step"], &stopped["unread"]), (&Value::from(2), &Value::from(true)));
        assert_eq!((stopped["words"].as_str(), shown["at"].as_u64()), (Some("explode"), Some(1)));
        assert_eq!(shown["view"]["stores"]["2"]["peers"]["1"]["role"], "candidate");
        let because = stopped["because"].as_str().expect("why");
        assert!(because.starts_with("no action has this name; the nearest is `"), "{because}");
    }
    let shown = server.json(&format!("{SCOPE}&do=campaing(region:1,store:1)"));
    let because = shown["stopped"]["because"].as_str().expect("why");
    assert_eq!(
        because,
        "no action has this name; did you mean `campaign`? the page lists those of this state (j, x), and `rollcall actions` lists them all"
    );
    let chinese = server.json(&format!("{SCOPE}&do=crash(shop:1)&lang=zh"));
    let because = chinese["stopped"]["because"].as_str().expect("why");
    assert!(because.starts_with("`crash` 的字段是 store："), "{because}");
}

/// A step names the region on which it reports to PD, at once or late.
#[test]
fn a_late_report_says_of_which_region_it_is() {
    let folder = Folder::new();
    let server = Server::of(&folder, &[]);
    let exhibit = server.json("/api/exhibit?name=stale_report_refused");
    let way: Vec<&str> = exhibit["do"].as_array().expect("a way").iter().filter_map(Value::as_str).collect();
    assert!(way[5].starts_with("late("), "{way:?}");
    let scope = exhibit["scope"].as_str().expect("a scope");
    let shown = server.json(&format!("/api/state?scope={scope}&through=1&do={}", way.join(";")));
    let reports: Vec<&Value> =
        shown["steps"].as_array().expect("steps").iter().map(|step| &step["reports"]).collect();
    let (one, none) = (Value::from(1), Value::Null);
    assert_eq!(reports, [&one, &none, &none, &none, &one, &one]);
    assert_eq!(shown["steps"][5]["outcome"], "refused: region_stale");
}

#[test]
fn a_dropped_guard_is_named_where_it_decides() {
    let folder = Folder::new();
    let server = Server::of(&folder, &[]);
    let exhibit = server.json("/api/exhibit?name=campaign_applies_first-election_safety");
    let way: Vec<&str> = exhibit["do"].as_array().expect("a way").iter().filter_map(Value::as_str).collect();
    let link = |without: &str, way: &[&str]| {
        format!("?scope=three_voters_to_one_smoke&without={without}&do={}", way.join(";"))
    };
    let broken = server.json(&format!("/api/state{}", link("campaign_applies_first", &way)));
    assert_eq!(broken["broken"][0]["property"], "election_safety");
    // Verdicts are those of exactly this state.
    let sound = server.json(&format!("/api/state{}&at=10", link("campaign_applies_first", &way)));
    assert!(!sound["broken"].to_string().contains("election_safety"), "{}", sound["broken"]);
    let why = server.json(&format!("/api/why{}&action={}", link("", &way[..9]), way[9]));
    assert_eq!(why["guards"], serde_json::json!(["campaign_applies_first"]), "{why}");
    let beside = server.json(&format!("/api/beside{}&side=model", link("campaign_applies_first", &way)));
    assert_eq!(beside["parted"]["step"], 10, "{beside}");
    let first = &beside["parted"]["differences"][0];
    assert!(first["words"].as_str().is_some_and(|words| words.starts_with("store ")), "{first}");
    assert!(
        beside["parted"]["there"].as_str().is_some_and(|words| words.contains("unapplied_conf_change ("))
    );
    let beside = server.json(&format!("/api/beside{}&side=impl", link("campaign_applies_first", &way)));
    assert_eq!(beside["without"], serde_json::json!(["campaign_applies_first"]), "{beside}");
    assert_eq!((&beside["parted"], &beside["compared"]), (&Value::Null, &Value::from(11)), "{beside}");
}

#[test]
fn healing_is_listed_and_can_be_played() {
    let folder = Folder::new();
    let server = Server::of(&folder, &[]);
    let healed = server.json("/api/heals?scope=three_voters_to_one_smoke&do=crash(store:1)");
    assert_eq!(healed["heals"], true);
    let way: Vec<&str> = healed["way"].as_array().expect("a way").iter().filter_map(Value::as_str).collect();
    assert!(!way.is_empty());
    let played = server.json(&format!("{SCOPE}&do=crash(store:1);{}", way.join(";")));
    assert_eq!((&played["stopped"], &played["at"]), (&Value::Null, &Value::from(way.len() + 1)));
    let exhibit = server.json("/api/exhibit?name=demote_before_removal");
    let way: Vec<&str> =
        exhibit["do"].as_array().expect("a way").iter().filter_map(Value::as_str).take(6).collect();
    let stuck = server.json(&format!(
        "/api/heals?scope=two_voters_to_one_smoke&without=demote_before_removal&do={}",
        way.join(";")
    ));
    assert!(stuck["missed"][0].as_str().expect("a goal").starts_with("leader_electable"), "{stuck}");
}

#[test]
fn a_file_is_opened_and_saved_again() {
    let folder = Folder::new();
    let file = scenario("seed-001-tombstone-by-force.jsonl");
    let server = Server::of(&folder, &[&file]);
    let first = server.json("/api/first");
    assert_eq!(first["scope"], "file");
    let way: Vec<&str> = first["do"].as_array().expect("a way").iter().filter_map(Value::as_str).collect();
    let shown = server.json(&format!("/api/state?scope=file&through=1&do={}", way.join(";")));
    assert_eq!(shown["at"], way.len());
    let (code, text) = server.text("/api/save?scope=grow_and_shrink_smoke&do=campaign(region:1,store:2)");
    assert_eq!(code, 200);
    folder.write("saved.jsonl", &text);
    folder.ends(&["replay", "saved.jsonl"], 0);
    let (code, opened) = server.ask("POST /api/open", &server.address, &text);
    assert_eq!(code, 200, "{opened}");
    assert!(
        opened.contains("campaign(region:1,store:2)") && opened.contains("grow_and_shrink_smoke"),
        "{opened}"
    );
    let (code, error) = server.ask(
        "POST /api/open",
        &server.address,
        "{\"record\":\"header\",\"schema\":\"rollcall-trace/99\"}",
    );
    assert!(code == 400 && error.contains("rollcall-trace/99"), "{error}");
}

#[test]
fn wrong_links_are_answered_in_a_sentence_and_no_file_is_read() {
    let folder = Folder::new();
    folder.write("secret", "not for others");
    let server = Server::of(&folder, &[]);
    for (path, says) in [
        ("/api/state?scope=nowhere", "unknown scope `nowhere`"),
        ("/api/state", "unknown scope ``"),
        ("/api/state?scope=file", "was given no `file`"),
        ("/api/state?scope=grow_and_shrink_smoke&without=nothing", "unknown guard `nothing`"),
        ("/api/state?scope=grow_and_shrink_smoke&at=soon", "the link cannot be read"),
        ("/api/beside?scope=grow_and_shrink_smoke&side=left", "there is no second column `left`"),
        ("/api/exhibit?name=../secret", "the museum has no exhibit"),
        ("/api/exhibit?name=demote_before_remova", "did you mean `demote_before_removal`?"),
        ("/api/exhibit", "an exhibit is asked for by its name"),
        ("/api/judge?exercise=13&do=crash(store:1)", "there is no lesson 13"),
        ("/api/judge?exercise=1&do=explode", "action 1, `explode`, cannot be read"),
        ("/api/lesson?number=13", "there is no lesson 13"),
        ("/secret", "there is no page /secret"),
        ("/../secret", "there is no page"),
        ("/api/state?scope=../secret", "unknown scope"),
    ] {
        let error = server.error(path);
        assert!(error.contains(says) && !error.contains("not for others"), "{path}: {error}");
    }
    let is_chinese = |text: &str| text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter));
    for path in [
        "/api/state?lang=zh&scope=nowhere",
        "/api/state?lang=zh&scope=file",
        "/api/state?lang=zh&scope=grow_and_shrink_smoke&without=nothing",
        "/api/state?lang=zh&scope=grow_and_shrink_smoke&at=soon",
        "/api/beside?lang=zh&scope=grow_and_shrink_smoke&side=left",
        "/api/exhibit?lang=zh&name=nothing",
        "/api/judge?lang=zh&exercise=13&do=crash(store:1)",
        "/api/judge?lang=zh&exercise=1&do=explode",
        "/api/lesson?lang=zh&number=13",
    ] {
        let error = server.error(path);
        assert!(is_chinese(&error) && !error.starts_with("这里打不开"), "{path}: {error}");
    }
    let header = "{\"record\":\"header\",\"schema\":\"rollcall-trace/99\"}";
    let (_, error) = server.ask("POST /api/open?lang=zh", &server.address, header);
    assert!(error.contains("文件的版本是") && error.contains("rollcall-trace/99"), "{error}");
    let (code, body) = server.ask("GET /api/list", "example.org", "");
    assert!(code == 403 && body.contains("localhost alone"), "{body}");
    let origin = format!("{}\r\nOrigin: http://example.org", server.address);
    let (code, body) = server.ask("POST /api/open", &origin, "{}");
    assert!(code == 403 && body.contains("its own page alone"), "{body}");
    let own = format!("{0}\r\nOrigin: http://{0}", server.address);
    assert_eq!(server.ask("GET /api/list", &own, "").0, 200);
    let (code, page) = server.text("/");
    assert!(
        code == 200 && page.contains("<!doctype html>") && !page.contains("http"),
        "nothing comes from elsewhere"
    );
}

/// A server that other machines can reach warns, and answers to addresses; still to no other name.
#[test]
fn another_address_is_listened_on_only_if_asked_for() {
    let folder = Folder::new();
    let arguments = ["explore", "--port", "0", "--host", "0.0.0.0"];
    let mut child =
        folder.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut warning = String::new();
    BufReader::new(child.stderr.take().expect("its errors")).read_line(&mut warning).expect("a line");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    let port = line.trim().trim_end_matches('/').rsplit(':').next().expect("a port").to_string();
    let server = Server { child, address: format!("127.0.0.1:{port}") };
    assert!(warning.contains("warning: 0.0.0.0 is not a loopback address"), "{warning}");
    assert_eq!(server.ask("GET /api/list", &format!("192.0.2.7:{port}"), "").0, 200);
    let (code, body) = server.ask("GET /api/list", &format!("example.org:{port}"), "");
    assert!(code == 403 && body.contains("its address alone"), "{body}");
    let first = server.json("/api/first");
    let command = format!("rollcall explore three_voters_to_one_smoke --host 0.0.0.0 --port {port}");
    assert_eq!(first["command"], command.as_str());
    // A server on the loopback interface answers to no other address.
    let (code, _) = Server::of(&folder, &[]).ask("GET /api/list", "192.0.2.7", "");
    assert_eq!(code, 403);
}

/// The command that starts the server again names its file and not its port.
#[test]
fn a_server_prints_the_command_that_starts_it_again() {
    let folder = Folder::new();
    let text = std::fs::read_to_string(scenario("seed-001-tombstone-by-force.jsonl")).expect("a scenario");
    folder.write("a file.jsonl", &text);
    let server = Server::of(&folder, &["a file.jsonl", "--without", "one_vote_a_term"]);
    let port = server.address.rsplit(':').next().expect("a port");
    let command = format!("rollcall explore 'a file.jsonl' --without one_vote_a_term --port {port}");
    assert_eq!(server.json("/api/first")["command"], command.as_str());
}

/// Every exercise is checked in both languages: its answer step by step, and its wrong answer.
#[test]
fn an_exercise_is_checked_on_the_page() {
    let folder = Folder::new();
    let server = Server::of(&folder, &[]);
    for number in 1..=LESSONS {
        let exercise = Lesson::numbered(number).expect("a lesson").facts.exercise;
        let judged = |answer: &[String], lang: &str| {
            let way = answer.join(";");
            server.json(&format!("/api/judge?exercise={number}&lang={lang}&do={way}"))
        };
        let answer = &exercise.answer;
        assert!(judged(answer, "en")["solved"].as_u64().is_some(), "{number}");
        if answer.len() > 1 {
            let begun = judged(&answer[..1], "en");
            assert_eq!((&begun["solved"], &begun["open"]), (&Value::Null, &Value::from(true)), "{begun}");
        }
        let wrong = judged(&exercise.wrong.answer, "en");
        let because = wrong["because"].as_str().expect("why not");
        assert!(wrong["solved"].is_null() && because.contains(&exercise.wrong.because), "{number}: {wrong}");
        let chinese = judged(&exercise.wrong.answer, "zh");
        let because = chinese["because"].as_str().expect("why not");
        assert!(because.contains(['步', '目']) && !because.contains("goal is"), "{chinese}");
    }
}

/// A store that does not exist is reported as such, whatever the rules check first.
#[test]
fn a_store_that_there_is_not_is_named() {
    let folder = Folder::new();
    let server = Server::of(&folder, &[]);
    for action in ["campaign(region:1,store:99)", "vote(region:1,candidate:1,voter:99)", "crash(store:99)"] {
        let shown = server.json(&format!("{SCOPE}&do={action}"));
        let because = shown["stopped"]["because"].as_str().expect("why");
        assert!(because.ends_with("There is no such store as 99."), "{because}");
        let why = server.json(&format!("{}&action={action}", SCOPE.replace("/state", "/why")));
        assert_eq!(why["meaning"], "There is no such store as 99.", "{why}");
    }
}

/// Everything that can be chosen is listed in both languages.
#[test]
fn everything_listed_is_listed_in_both_languages() {
    let folder = Folder::new();
    let list = Server::of(&folder, &[]).json("/api/list");
    for (what, least) in [
        ("scopes", 200),
        ("guards", 80),
        ("exhibits", 90),
        ("lessons", 12),
        ("properties", 22),
        ("goals", 12),
    ] {
        let entries = list[what].as_array().expect("a list");
        assert!(entries.len() >= least, "{what}: {}", entries.len());
        for entry in entries {
            let said = |language: &str| entry[language].as_str().unwrap_or_default().to_string();
            let is_chinese = said("zh").chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter));
            assert!(!said("en").is_empty() && is_chinese, "{what}: {entry}");
        }
    }
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let folder = Folder::new();
    let server = Server::of(&folder, &[]);
    let port = server.address.rsplit(':').next().expect("a port").to_string();
    folder.write("old.jsonl", "{\"record\":\"header\",\"schema\":\"rollcall-trace/99\"}\n");
    for (arguments, says) in [
        (vec!["explore", "--port", &port], format!("port {port} cannot be opened")),
        (vec!["explore", "nowhere"], "unknown scope `nowhere`".into()),
        (vec!["explore", "gone.jsonl"], "gone.jsonl".into()),
        (vec!["explore", "old.jsonl"], "rollcall-trace/99".into()),
        (vec!["explore", "grow_and_shrink_smoke", "--without", "nothing"], "unknown guard `nothing`".into()),
    ] {
        let ran = folder.ends(&arguments, 2);
        assert!(
            ran.stderr.contains(&says) && ran.stderr.lines().count() == 1,
            "{arguments:?}: {}",
            ran.stderr
        );
    }
}

/// The same state in Chinese: the same steps, with other texts.
#[test]
fn a_state_is_shown_in_chinese() {
    let folder = Folder::new();
    let server = Server::of(&folder, &[]);
    let exhibit = server.json("/api/exhibit?name=campaign_applies_first-election_safety");
    let way: Vec<&str> = exhibit["do"].as_array().expect("a way").iter().filter_map(Value::as_str).collect();
    let link = format!("{SCOPE}&without=campaign_applies_first&do={}", way.join(";"));
    let (english, chinese) = (server.json(&link), server.json(&format!("{link}&lang=zh")));
    assert_eq!(english["view"], chinese["view"]);
    for (one, other) in
        english["steps"].as_array().expect("steps").iter().zip(chinese["steps"].as_array().expect("steps"))
    {
        assert_eq!(one["name"], other["name"]);
        assert_ne!((&one["words"], &one["changes"]), (&other["words"], &other["changes"]));
    }
    let broken = chinese["broken"][0]["words"].as_str().expect("words");
    assert!(broken.contains("最多一个 peer 当选") && broken.contains(" 在 term "), "{broken}");
    assert!(!broken.contains(" on store "), "{broken}");
    let refused = server.json(&format!("{}&lang=zh", SCOPE.replace("/state", "/refused")));
    let meaning = refused[0]["meaning"].as_str().expect("the reason in words");
    assert!(meaning.ends_with('。'), "{meaning}");
}

/// The search from a state finds a path as short as the exhibit's, finds none with all guards, and
/// stops at its bound.
#[test]
fn the_nearest_violation_is_searched_for() {
    let folder = Folder::new();
    let server = Server::of(&folder, &[]);
    let exhibit = server.json("/api/exhibit?name=campaign_applies_first-election_safety");
    let way: Vec<&str> = exhibit["do"].as_array().expect("a way").iter().filter_map(Value::as_str).collect();
    let link = |steps: usize| {
        let begin = way[..steps].join(";");
        format!("/api/nearest?scope=three_voters_to_one_smoke&without=campaign_applies_first&do={begin}")
    };
    let found = server.json(&link(8));
    let rest: Vec<&str> = found["way"].as_array().expect("a way").iter().filter_map(Value::as_str).collect();
    assert!((1..=way.len() - 8).contains(&rest.len()), "{found}");
    let shown = server.json(
        &format!("{}&at=&", link(8))
            .replace("/nearest", "/state")
            .replace("&at=&", &format!(";{}", rest.join(";"))),
    );
    assert_eq!(shown["broken"][0]["property"], found["property"], "{shown}");
    let bounded = server.json(&format!("{}&states=5", link(0)));
    assert_eq!((bounded["way"].as_array().map(Vec::len), &bounded["all"]), (Some(0), &Value::from(false)));
    let sound = server.json("/api/nearest?scope=one_of_two_is_lost_smoke");
    assert_eq!(
        (sound["way"].as_array().map(Vec::len), &sound["all"]),
        (Some(0), &Value::from(true)),
        "{sound}"
    );
}

#[test]
fn symptoms_lead_to_exhibits() {
    let folder = Folder::new();
    let server = Server::of(&folder, &[]);
    let doors = server.json("/api/symptom?words=meta%20corruption%20detected");
    assert_eq!(doors["guards"][0]["guard"], "snapshot_updates_ranges", "{doors}");
    let exhibit = doors["guards"][0]["exhibits"][0].as_str().expect("an exhibit");
    server.json(&format!("/api/exhibit?name={exhibit}"));
    let doors = server.json("/api/symptom?words=%E7%BC%A9%E5%AE%B9%E4%B8%8D%E6%8E%89");
    assert!(!doors["means"].as_array().expect("what it means").is_empty(), "{doors}");
    let named = server.json("/api/symptom?words=demote_before");
    assert_eq!(
        (&named["guards"][0]["guard"], &named["guards"][0]["lessons"][0]),
        (&"demote_before_removal".into(), &5.into())
    );
    let nothing = server.json("/api/symptom?words=zzzzzz");
    assert_eq!(nothing.to_string(), r#"{"guards":[],"means":[],"scopes":[]}"#);
}

/// Both languages have every text of the page, and the page uses no unknown one.
#[test]
fn the_page_says_everything_in_both_languages() {
    let words = include_str!("../../assets/words.js");
    let (english, chinese) = words.split_once("zh: {").expect("both languages");
    let chinese = chinese.split("};").next().expect("an end");
    let names = |text: &str| -> std::collections::BTreeSet<String> {
        let bare = text.split('"').step_by(2).collect::<String>();
        let tokens = bare.split([',', '{', '}', '\n']).filter_map(|part| part.split_once(':'));
        tokens
            .map(|(name, _)| name.trim().to_string())
            .filter(|name| !name.is_empty() && name != "en")
            .collect()
    };
    let english = names(english.split("en: {").nth(1).expect("English"));
    assert_eq!(english, names(chinese));
    assert!(english.len() > 60, "{english:?}");
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    let files = std::fs::read_dir(folder).expect("the assets").map(|entry| entry.expect("an entry").path());
    let scripts: Vec<String> = files
        .filter(|path| path.extension().is_some_and(|is| is == "js" || is == "html"))
        .map(|path| std::fs::read_to_string(path).expect("an asset"))
        .collect();
    assert!(scripts.len() > 8);
    for script in &scripts {
        for name in script.split("data-w=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(english.contains(name), "a page says `{name}`, which has no words");
        }
        for name in script.split("w(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(english.contains(name), "a script says `{name}`, which has no words");
        }
    }
}
