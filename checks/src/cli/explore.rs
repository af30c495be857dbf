//! `explore`: serves the explorer's page from the program.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use anyhow::{Context, Result};
use rollcall_model::ModelSubject;
use rollcall_traces::Sides;

use super::end::{End, INTERRUPTED};
use super::named;
use super::out::{errln, outln};
use super::selected::is_file;
use crate::explore::Explorer;
use crate::lookup;

pub(super) fn run(word: &str, without: Option<&str>, host: IpAddr, port: u16) -> Result<End> {
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
    if !host.is_loopback() {
        errln!(
            "rollcall: warning: {host} is not a loopback address; anyone who can reach it can use the explorer and read its file"
        );
    }
    let ready = |address: SocketAddr| {
        outln!("http://{address}/");
        outln!("Ctrl-C ends the server; links keep working when it is started again");
    };
    let served =
        explorer.serve(SocketAddr::new(host, port), &again(word, without, host), &INTERRUPTED, ready);
    served.with_context(|| {
        if host.is_loopback() {
            format!("port {port} cannot be opened; choose another with --port, or any free one with --port 0")
        } else {
            format!("{host}, port {port} cannot be opened; choose another with --host or --port")
        }
    })?;
    Ok(End::Holds)
}

/// The command that serves the same page again, without the port.
fn again(word: &str, without: Option<&str>, host: IpAddr) -> String {
    let mut command = format!("rollcall explore {}", quoted(word));
    if let Some(guard) = without {
        command += &format!(" --without {guard}");
    }
    if !host.is_loopback() {
        command += &format!(" --host {host}");
    }
    command
}

/// The word, quoted for a shell if it must be.
fn quoted(word: &str) -> String {
    let is_plain = |is: char| is.is_alphanumeric() || "_-./".contains(is);
    if word.chars().all(is_plain) { word.into() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}
