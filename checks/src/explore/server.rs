//! The page's server. By default it listens on the loopback interface only. The page is compiled
//! in, and the server reads no file but the given one.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::rejection::StringRejection;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use rollcall_model::{Guard, ModelSubject};
use rollcall_traces::{Scenario, Sides, Trace};
use serde::Serialize;
use serde_json::json;

use super::given::Taken;
use super::shown::{Link, ServerState};
use super::{assets, chinese, doors, here, listing, name_of};
use crate::learn::{Language, guards, parse_answer};

/// The museum's traces, compiled into the program.
pub(super) const EXHIBITS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/exhibits.rs"));

/// The largest file that may be dropped on the page, in bytes.
pub(super) const LARGEST: usize = 4 << 20;

type Shared = State<Arc<ServerState>>;
type Body = Result<String, StringRejection>;

/// What the page opens with.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Opened {
    /// The scope's name in links.
    pub scope: String,
    /// The guards that are dropped.
    pub without: String,
    /// The actions by name.
    #[serde(rename = "do")]
    pub actions: Vec<String>,
    /// What the page must say about the file, in sentences.
    pub says: Vec<String>,
    /// The command that starts this server again, once it has a port.
    pub command: String,
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
        Self { known: Arc::default(), first: Opened { scope, without, ..Opened::default() } }
    }

    /// Begins with this file.
    pub fn with_file(trace: &Trace, without: Option<&str>) -> Self {
        let known = ServerState::default();
        let Taken { scope, without: own, actions, .. } = known.take_in(trace);
        let without = match without {
            Some(guard) if own.is_empty() => guard.to_string(),
            Some(guard) => format!("{own},{guard}"),
            None => own,
        };
        Self { known: Arc::new(known), first: Opened { scope, without, actions, ..Opened::default() } }
    }

    /// Serves the page at `address` until `ends` says so. `again` is the command that starts it,
    /// without the port. `ready` gets the address.
    ///
    /// # Errors
    /// If the address cannot be opened.
    pub fn serve(
        mut self,
        address: SocketAddr,
        again: &str,
        ends: &AtomicBool,
        ready: impl FnOnce(SocketAddr),
    ) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind(address).await?;
            let has = listener.local_addr()?;
            self.first.command = format!("{again} --port {}", has.port());
            ready(has);
            let app = routes(self.known, self.first, address.ip());
            let server = tokio::spawn(async move { axum::serve(listener, app).await });
            while !ends.load(Ordering::SeqCst) && !server.is_finished() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Ok::<(), std::io::Error>(())
        })?;
        // Does not wait for a running search.
        runtime.shutdown_background();
        Ok(())
    }
}

fn routes(known: Arc<ServerState>, first: Opened, listens: IpAddr) -> Router {
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
        .route("/api/judge", asks(ServerState::judged))
        .route("/api/symptom", get(symptom))
        .route("/api/save", get(save))
        .route("/api/exhibit", get(exhibit))
        .route("/api/lesson", get(lesson))
        .route("/api/open", post(open))
        .route("/api/answer", post(answer))
        .fallback(
            |uri: Uri| async move { bad(StatusCode::NOT_FOUND, format!("there is no page {}", uri.path())) },
        )
        .layer(axum::extract::DefaultBodyLimit::max(LARGEST))
        .layer(middleware::from_fn_with_state(listens, only_from_here))
        .with_state(known)
}

/// Answers a link; the answer has the time that it took. It is computed on another thread, so that
/// a step does not wait for a search or a healing that the page no longer needs.
fn asks<T: Serialize + 'static>(
    answer: fn(&ServerState, &Link) -> Result<T, String>,
) -> axum::routing::MethodRouter<Arc<ServerState>> {
    get(move |State(known): Shared, uri: Uri| async move {
        let answered = tokio::task::spawn_blocking(move || answered(&known, &uri, answer)).await;
        answered.unwrap_or_else(|error| {
            bad(StatusCode::INTERNAL_SERVER_ERROR, format!("this link cannot be answered: {error}"))
        })
    })
}

fn answered<T: Serialize>(
    known: &ServerState,
    uri: &Uri,
    answer: fn(&ServerState, &Link) -> Result<T, String>,
) -> Response {
    let begun = Instant::now();
    let link = match Query::<Link>::try_from_uri(uri) {
        Ok(Query(link)) => link,
        Err(error) => return unreadable(uri, &error),
    };
    let mut response = match answer(known, &link) {
        Ok(answer) => axum::Json(answer).into_response(),
        Err(error) => bad_in(link.language(), StatusCode::BAD_REQUEST, error),
    };
    let took = format!("handler;dur={:.2}", begun.elapsed().as_secs_f64() * 1000.0);
    if let Ok(took) = took.parse() {
        response.headers_mut().insert("server-timing", took);
    }
    response
}

async fn only_from_here(State(listens): State<IpAddr>, request: Request, next: Next) -> Response {
    match stranger(listens, request.headers()) {
        Some(error) => bad(StatusCode::FORBIDDEN, error),
        None => next.run(request).await,
    }
}

/// Whether a request comes from another site's page: by a name that resolves to this address (DNS
/// rebinding), or by a form. If other machines may reach the server, requests to an address are
/// accepted, too, because no site can redirect an address.
fn stranger(listens: IpAddr, headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let host = text(header::HOST).unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|is| is.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_ours = name == "localhost" || address.is_ok_and(|is| is.is_loopback() || !listens.is_loopback());
    if !is_ours {
        let answers = if listens.is_loopback() { "localhost alone" } else { "its address alone" };
        return Some(format!("this server answers to {answers}"));
    }
    let is_own = |origin: &str| origin == format!("http://{host}");
    text(header::ORIGIN)
        .filter(|origin| !is_own(origin))
        .map(|_| "this server answers to its own page alone".to_string())
}

fn bad(code: StatusCode, error: String) -> Response {
    (code, axum::Json(json!({ "error": error }))).into_response()
}

/// The same in the reader's language.
fn bad_in(language: Language, code: StatusCode, error: String) -> Response {
    let told = match language {
        Language::English => error,
        Language::Chinese => chinese::of_error(&error),
    };
    bad(code, here::on_the_page(language, &told))
}

/// The error for a link whose fields cannot be read. Its language may still be readable.
fn unreadable(uri: &Uri, error: &impl std::fmt::Display) -> Response {
    bad_in(spoken(uri), StatusCode::BAD_REQUEST, format!("the link cannot be read: {error}"))
}

/// The language of a link.
fn spoken(uri: &Uri) -> Language {
    Query::<Spoken>::try_from_uri(uri).map_or(Language::English, |Query(link)| language_of(&link.lang))
}

#[derive(serde::Deserialize)]
struct Spoken {
    #[serde(default)]
    lang: String,
}

async fn list() -> Response {
    axum::Json(listing::list()).into_response()
}

async fn save(State(known): Shared, uri: Uri) -> Response {
    let link = match Query::<Link>::try_from_uri(&uri) {
        Ok(Query(link)) => link,
        Err(error) => return unreadable(&uri, &error),
    };
    match known.saved(&link) {
        Ok(text) => {
            let headers = [
                (header::CONTENT_TYPE, "application/jsonl"),
                (header::CONTENT_DISPOSITION, "attachment; filename=\"scenario.jsonl\""),
            ];
            (headers, text).into_response()
        }
        Err(error) => bad_in(link.language(), StatusCode::BAD_REQUEST, error),
    }
}

#[derive(serde::Deserialize)]
struct Named {
    name: String,
}

async fn exhibit(State(known): Shared, uri: Uri) -> Response {
    let language = spoken(&uri);
    let Ok(Query(Named { name })) = Query::<Named>::try_from_uri(&uri) else {
        return bad_in(language, StatusCode::BAD_REQUEST, "an exhibit is asked for by its name".into());
    };
    let Some((_, text)) = EXHIBITS.iter().find(|(known, _)| *known == name) else {
        let near = EXHIBITS
            .iter()
            .map(|(known, _)| (strsim::jaro_winkler(&name, known), known))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|(likeness, _)| *likeness > 0.7)
            .map_or(String::new(), |(_, near)| format!(" did you mean `{near}`?"));
        return bad_in(
            language,
            StatusCode::NOT_FOUND,
            format!("the museum has no exhibit `{name}`;{near} m lists them all"),
        );
    };
    opened(&known, language, &name, text)
}

#[derive(serde::Deserialize)]
struct Words {
    words: String,
    #[serde(default)]
    lang: String,
}

fn language_of(lang: &str) -> Language {
    if lang == "zh" { Language::Chinese } else { Language::English }
}

async fn symptom(uri: Uri) -> Response {
    match Query::<Words>::try_from_uri(&uri) {
        Ok(Query(Words { words, lang })) => axum::Json(doors::of(&words, language_of(&lang))).into_response(),
        Err(_) => bad_in(spoken(&uri), StatusCode::BAD_REQUEST, "a symptom is asked for by its words".into()),
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
        return bad_in(spoken(&uri), StatusCode::BAD_REQUEST, "a lesson is asked for by its number".into());
    };
    match listing::lesson(&known, number, language_of(&lang)) {
        Ok(lesson) => axum::Json(lesson).into_response(),
        Err(error) => bad_in(language_of(&lang), StatusCode::NOT_FOUND, error),
    }
}

/// A file that was chosen, or dropped on the page.
async fn open(State(known): Shared, uri: Uri, body: Body) -> Response {
    match body {
        Ok(text) => {
            let name = match spoken(&uri) {
                Language::English => "the file",
                Language::Chinese => "文件",
            };
            opened(&known, spoken(&uri), name, &text)
        }
        Err(error) => untaken(&uri, &error),
    }
}

/// A file that is too large, or no text.
fn untaken(uri: &Uri, error: &StringRejection) -> Response {
    let why = match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => format!("the file is larger than {LARGEST} bytes"),
        _ => "the file is no text in UTF-8".into(),
    };
    bad_in(spoken(uri), error.status(), why)
}

fn opened(known: &ServerState, language: Language, name: &str, text: &str) -> Response {
    match trace_of(name, text) {
        Ok(trace) => {
            let Taken { scope, without, actions, unknown } = known.take_in(&trace);
            let says = unknown.iter().map(|error| not_dropped(language, error)).collect();
            axum::Json(Opened { scope, without, actions, says, ..Opened::default() }).into_response()
        }
        Err(error) => bad_in(language, StatusCode::BAD_REQUEST, error),
    }
}

/// What the page says where a file drops a guard that the model does not have.
fn not_dropped(language: Language, error: &str) -> String {
    let told = match language {
        Language::English => format!("The file drops a guard that this page cannot drop: {error}."),
        Language::Chinese => {
            format!("文件关掉了一个这里关不掉的 guard：{}。", chinese::of_error(error))
        }
    };
    here::on_the_page(language, &told)
}

/// The steps in an answer's file: an action a line, by name or as JSON, or a trace.
async fn answer(uri: Uri, body: Body) -> Response {
    let text = match body {
        Ok(text) => text,
        Err(error) => return untaken(&uri, &error),
    };
    match parse_answer(&text) {
        Ok(actions) => {
            axum::Json(json!({ "do": actions.iter().map(name_of).collect::<Vec<_>>() })).into_response()
        }
        Err((line, error)) => bad_in(spoken(&uri), StatusCode::BAD_REQUEST, format!("line {line}: {error}")),
    }
}

/// The trace in a file's text; a scenario's steps are expanded.
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
