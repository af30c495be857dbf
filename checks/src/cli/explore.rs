//! `explore`: serves the explorer's page from the program.

use std::path::Path;

use anyhow::{Context, Result};
use rollcall_model::ModelSubject;
use rollcall_traces::Sides;

use super::end::{End, INTERRUPTED};
use super::named;
use super::out::outln;
use super::selected::is_file;
use crate::explore::Explorer;
use crate::lookup;

pub(super) fn run(word: &str, without: Option<&str>, port: u16) -> Result<End> {
    if let Some(guard) = without {
        lookup::guard(guard)?;
    }
    let explorer = if is_file(word) {
        let path = Path::new(word);
        let (scenario, named) = named::read(path)?;
        let trace = match scenario.recorded() {
            Some(recorded) => recorded,
            None => {
                let mut model = ModelSubject::new(named.guards, &[]);
                scenario.written_out(&mut model, Sides::TRACE_AND_MODEL)?
            }
        };
        Explorer::with_file(&trace, without)
    } else {
        let plan = lookup::plan(word)?;
        Explorer::with_scope(plan.scope.name, without.unwrap_or_default().to_string())
    };
    let ready = |address: std::net::SocketAddr, _: &_| {
        outln!("http://{address}/");
        outln!("Ctrl-C ends the server; links keep working when it is started again");
    };
    let served = explorer.serve(port, &INTERRUPTED, ready);
    served.with_context(|| format!("port {port} cannot be had; give another with --port, or --port 0"))?;
    Ok(End::Holds)
}
