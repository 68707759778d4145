//! `podring metrics`: counters and gauges of every ring for Prometheus, by HTTP or once to standard output.

mod exposition;
mod http;

use std::net::TcpListener;
use std::path::PathBuf;

use serde_json::json;

use crate::args::MetricsArgs;
use crate::output::{self, Exit, Failure, Output, Summary};
use crate::watch::look::Watched;
use crate::{places, signals};
use exposition::Format;

pub(crate) fn run(dirs: &[PathBuf], args: &MetricsArgs, output: &Output) -> Result<Exit, Failure> {
    let watched = Watched::new(places::resolve(dirs, args.places.all)?, &args.names);
    watched.check()?;
    let scrape = |format| Ok(exposition::text(watched.look()?, args.max_rings, format));
    let Some(address) = args.listen else {
        if output.is_json() {
            return Err(Failure::usage("metrics have a format of their own; `podring stat --json` is JSON"));
        }
        output::print_line(scrape(Format::OpenMetrics)?.trim_end())?;
        return Ok(Exit::Ok);
    };
    signals::watch()?;
    let failed = |error| Failure::io(&format!("listening on {address}"), &error);
    let listener = TcpListener::bind(address).map_err(failed)?;
    // With port 0 the system has chosen one.
    let address = listener.local_addr().map_err(failed)?;
    let text = format!("metrics at http://{address}{}", http::PATH);
    output.finish(Summary::new(
        "metrics",
        text,
        json!({ "listen": address.to_string(), "path": http::PATH }),
    ))?;
    http::serve(&listener, &scrape)?;
    Ok(Exit::Ok)
}
