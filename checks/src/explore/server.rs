//! The page's server: on the loopback, with the page in the program. It reads no file but
//! the one that it was given.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use rollcall_model::{Guard, ModelSubject, scopes};
use rollcall_traces::{Scenario, Sides, Trace};
use serde::Serialize;
use serde_json::{Value, json};

use super::shown::{Link, ServerState};
use super::{assets, doors};
use crate::learn::{Language, Lesson, guards};
use crate::museum::{PIECES, parts};

/// The museum's traces, in the program.
const EXHIBITS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/exhibits.rs"));

/// Files that are dropped may be that large.
const LARGEST: usize = 4 << 20;

type Shared = State<Arc<ServerState>>;

/// What a link begins with.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Opened {
    /// The scope, as links call it.
    pub scope: String,
    /// The guards that are dropped.
    pub without: String,
    /// The actions by name.
    #[serde(rename = "do")]
    pub actions: Vec<String>,
}

/// The page, before it is served.
#[derive(Default)]
pub struct Explorer {
    known: Arc<ServerState>,
    first: Opened,
}

impl Explorer {
    /// Begins with this scope, without these guards.
    pub fn with_scope(scope: String, without: String) -> Self {
        Self { known: Arc::default(), first: Opened { scope, without, actions: Vec::new() } }
    }

    /// Begins with this file.
    pub fn with_file(trace: &Trace, without: Option<&str>) -> Self {
        let known = ServerState::default();
        let (scope, own, actions) = known.take_in(trace);
        let without = match without {
            Some(guard) if own.is_empty() => guard.to_string(),
            Some(guard) => format!("{own},{guard}"),
            None => own,
        };
        Self { known: Arc::new(known), first: Opened { scope, without, actions } }
    }

    /// Serves the page until `ends` says so. `ready` gets the address.
    ///
    /// # Errors
    /// Where the port cannot be had.
    pub fn serve(
        self,
        port: u16,
        ends: &AtomicBool,
        ready: impl FnOnce(SocketAddr, &Opened),
    ) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
            ready(listener.local_addr()?, &self.first);
            let app = routes(Arc::clone(&self.known), self.first.clone());
            let server = tokio::spawn(async move { axum::serve(listener, app).await });
            while !ends.load(Ordering::SeqCst) && !server.is_finished() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Ok(())
        })
    }
}

fn routes(known: Arc<ServerState>, first: Opened) -> Router {
    let text = |kind: &'static str, body: &'static str| {
        get(
            move || async move { ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")], body) },
        )
    };
    let scripts = assets::SCRIPTS.iter().fold(Router::new(), |router, (path, script)| {
        router.route(path, text("text/javascript; charset=utf-8", script))
    });
    scripts
        .route("/", text("text/html; charset=utf-8", assets::PAGE))
        .route("/explorer.css", text("text/css; charset=utf-8", assets::STYLE))
        .route("/api/first", get(move || async move { axum::Json(first) }))
        .route("/api/list", get(list))
        .route("/api/state", asks(ServerState::shown))
        .route("/api/refused", asks(ServerState::refused))
        .route("/api/heals", asks(ServerState::healing))
        .route("/api/why", asks(ServerState::why))
        .route("/api/beside", asks(ServerState::beside))
        .route("/api/nearest", asks(ServerState::nearest))
        .route("/api/symptom", get(symptom))
        .route("/api/save", get(save))
        .route("/api/exhibit", get(exhibit))
        .route("/api/lesson", get(lesson))
        .route("/api/open", post(open))
        .fallback(
            |uri: Uri| async move { bad(StatusCode::NOT_FOUND, format!("there is no page {}", uri.path())) },
        )
        .layer(axum::extract::DefaultBodyLimit::max(LARGEST))
        .layer(middleware::from_fn(only_from_here))
        .with_state(known)
}

/// Reads a link, and answers it; the answer says how long that took.
fn asks<T: Serialize + 'static>(
    answer: fn(&ServerState, &Link) -> Result<T, String>,
) -> axum::routing::MethodRouter<Arc<ServerState>> {
    get(move |State(known): Shared, uri: Uri| async move {
        let begun = Instant::now();
        let link = match Query::<Link>::try_from_uri(&uri) {
            Ok(Query(link)) => link,
            Err(error) => {
                return bad(StatusCode::BAD_REQUEST, format!("the link cannot be read: {error}"));
            }
        };
        let mut response = match answer(&known, &link) {
            Ok(answer) => axum::Json(answer).into_response(),
            Err(error) => bad(StatusCode::BAD_REQUEST, error),
        };
        let took = format!("handler;dur={:.2}", begun.elapsed().as_secs_f64() * 1000.0);
        if let Ok(took) = took.parse() {
            response.headers_mut().insert("server-timing", took);
        }
        response
    })
}

/// Another site's page may not ask this server by a name that leads here.
async fn only_from_here(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if ["127.0.0.1", "localhost", "[::1]"].contains(&name) {
        return next.run(request).await;
    }
    bad(StatusCode::FORBIDDEN, "this server answers to localhost alone".into())
}

fn bad(code: StatusCode, error: String) -> Response {
    (code, axum::Json(json!({ "error": error }))).into_response()
}

async fn list() -> Response {
    let scopes: Vec<Value> = scopes::all()
        .iter()
        .map(|plan| {
            json!({ "name": plan.scope.name, "question": plan.scope.question,
                    "family": plan.family.name(), "size": plan.size.to_string() })
        })
        .collect();
    let guards: Vec<Value> = Guard::ALL
        .iter()
        .map(|guard| json!({ "name": guard.name(), "incident": parts(guard.incident()).0 }))
        .collect();
    let exhibits: Vec<Value> = PIECES
        .iter()
        .map(|piece| json!({ "name": piece.name(), "guard": piece.guard.name(), "scope": piece.scope }))
        .collect();
    let titles = |number: usize| {
        let lesson = Lesson::numbered(number).ok()?;
        let title = |language| lesson.prose(language).ok().map(|prose| prose.title);
        Some(json!({ "number": number, "en": title(Language::English), "zh": title(Language::Chinese) }))
    };
    let lessons: Vec<Value> = (1..=crate::learn::LESSONS).filter_map(titles).collect();
    axum::Json(json!({ "scopes": scopes, "guards": guards, "exhibits": exhibits, "lessons": lessons }))
        .into_response()
}

async fn save(State(known): Shared, uri: Uri) -> Response {
    let link = match Query::<Link>::try_from_uri(&uri) {
        Ok(Query(link)) => link,
        Err(error) => return bad(StatusCode::BAD_REQUEST, format!("the link cannot be read: {error}")),
    };
    match known.saved(&link) {
        Ok(text) => {
            let headers = [
                (header::CONTENT_TYPE, "application/jsonl"),
                (header::CONTENT_DISPOSITION, "attachment; filename=\"scenario.jsonl\""),
            ];
            (headers, text).into_response()
        }
        Err(error) => bad(StatusCode::BAD_REQUEST, error),
    }
}

#[derive(serde::Deserialize)]
struct Named {
    name: String,
}

async fn exhibit(State(known): Shared, uri: Uri) -> Response {
    let Ok(Query(Named { name })) = Query::<Named>::try_from_uri(&uri) else {
        return bad(StatusCode::BAD_REQUEST, "an exhibit is asked for by its name".into());
    };
    let Some((_, text)) = EXHIBITS.iter().find(|(known, _)| *known == name) else {
        return bad(StatusCode::NOT_FOUND, format!("the museum has no exhibit `{name}`"));
    };
    opened(&known, &name, text)
}

#[derive(serde::Deserialize)]
struct Words {
    words: String,
}

async fn symptom(uri: Uri) -> Response {
    match Query::<Words>::try_from_uri(&uri) {
        Ok(Query(Words { words })) => axum::Json(doors::of(&words)).into_response(),
        Err(_) => bad(StatusCode::BAD_REQUEST, "a symptom is asked for by its words".into()),
    }
}

#[derive(serde::Deserialize)]
struct Numbered {
    number: usize,
    #[serde(default)]
    lang: String,
}

async fn lesson(State(known): Shared, uri: Uri) -> Response {
    let Ok(Query(Numbered { number, lang })) = Query::<Numbered>::try_from_uri(&uri) else {
        return bad(StatusCode::BAD_REQUEST, "a lesson is asked for by its number".into());
    };
    let language = if lang == "zh" { Language::Chinese } else { Language::English };
    match lesson_json(&known, number, language) {
        Ok(lesson) => axum::Json(lesson).into_response(),
        Err(error) => bad(StatusCode::NOT_FOUND, error),
    }
}

/// A lesson as the page needs it: the way, what is asked on it, and where a wrong guess leads.
fn lesson_json(known: &ServerState, number: usize, language: Language) -> Result<Value, String> {
    let lesson = Lesson::numbered(number)?;
    let prose = lesson.prose(language)?;
    let (mut steps, actions) = lesson.steps()?;
    let trace = Trace::scenario(lesson.schedule.header.clone(), actions.iter().cloned());
    let (scope, without, names) = known.take_in(&trace);
    let mut questions = Vec::new();
    for (question, asked) in lesson.facts.questions.iter().zip(&prose.asked) {
        steps.back_to(0);
        for action in actions.iter().take(question.before) {
            steps.take(action);
        }
        let right = question.right(&steps)?;
        let branches: Vec<Value> = question
            .choices
            .iter()
            .map(|choice| match &choice.branch {
                None => Value::Null,
                Some(branch) => {
                    let own =
                        if branch.without.is_empty() { without.clone() } else { branch.without.join(",") };
                    let own = if own == "none" { String::new() } else { own };
                    let way: Vec<&String> = names.iter().take(branch.behind).chain(&branch.actions).collect();
                    json!({ "without": own, "do": way })
                }
            })
            .collect();
        questions
            .push(json!({ "before": question.before, "question": asked.question, "choices": asked.choices,
            "right": right, "answer": asked.answer, "told": asked.branches, "branches": branches }));
    }
    let exercise = &lesson.facts.exercise;
    let claims: Vec<String> = lesson.facts.claims.iter().map(|claim| claim.words(language)).collect();
    Ok(json!({
        "number": number, "title": prose.title, "story": prose.story, "guard": lesson.facts.guard,
        "scope": scope, "without": without, "do": names, "steps": prose.steps, "questions": questions,
        "rule": prose.rule, "claims": claims, "exercise": prose.exercise,
        "exercise_scope": exercise.scope, "exercise_without": exercise.without.join(","),
    }))
}

/// A file that was dropped on the page.
async fn open(State(known): Shared, body: String) -> Response {
    opened(&known, "the file", &body)
}

fn opened(known: &ServerState, name: &str, text: &str) -> Response {
    match trace_of(name, text) {
        Ok(trace) => {
            let (scope, without, actions) = known.take_in(&trace);
            axum::Json(Opened { scope, without, actions }).into_response()
        }
        Err(error) => bad(StatusCode::BAD_REQUEST, error),
    }
}

/// The trace of a file's text, written out if it is a scenario.
pub(super) fn trace_of(name: &str, text: &str) -> Result<Trace, String> {
    let scenario = Scenario::parse(name, text).map_err(|error| error.to_string())?;
    if scenario.is_empty() {
        return Err(format!("{name}: it has no steps; a trace without steps shows nothing"));
    }
    if let Some(recorded) = scenario.recorded() {
        return Ok(recorded);
    }
    let known = scenario.header.without.iter().filter(|name| Guard::from_name(name).is_some());
    let mut model = ModelSubject::new(guards(&known.cloned().collect::<Vec<_>>())?, &[]);
    scenario.written_out(&mut model, Sides::TRACE_AND_MODEL).map_err(|error| error.to_string())
}
