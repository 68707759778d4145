//! Tables and charts as one page that needs nothing else.

use std::fmt::Write;

use crate::report::ci::escaped;
use crate::report::plot::Chart;
use crate::report::text;
use crate::report::{Format, Report};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#222}\
h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}pre{background:#f6f6f6;padding:1em;overflow-x:auto;font-size:12.5px;\
line-height:1.45}svg{max-width:100%;height:auto}.verdict{padding:.4em .8em;margin:.3em 0;border-left:4px solid #999}\
.pass{border-color:#009e73}.regression{border-color:#d55e00}.noisy{border-color:#e69f00}";

/// Renders it. `command` is how it was made.
pub fn render(report: &Report, charts: &[Chart], command: &str) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\">\n<title>podring bench</title>\n<style>{STYLE}</style>\n<h1>podring bench</h1>\n"
    );
    let _ = writeln!(page, "<pre>$ {}</pre>", escaped(command));
    for verdict in &report.verdicts {
        let class = match verdict.outcome {
            crate::gate::Outcome::Pass => "pass",
            crate::gate::Outcome::Regression => "regression",
            crate::gate::Outcome::TooNoisy => "noisy",
        };
        let _ = writeln!(page, "<div class=\"verdict {class}\">{}</div>", escaped(&verdict.to_string()));
    }
    for chart in charts {
        let _ = writeln!(page, "{}", chart.svg);
    }
    let _ = writeln!(page, "<h2>All figures</h2>\n<pre>{}</pre>", escaped(&text::render(report)));
    let _ = writeln!(
        page,
        "<details><summary>The same as JSON</summary><pre>{}</pre></details>\n</html>",
        escaped(&report.render(Format::Json))
    );
    page
}
