//! The page that shows what each plugin did and used. It looks again by itself.

use crate::chain::{Chain, Stage};
use std::fmt::Write;

const HEAD: &str = r#"<!doctype html>
<html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="2"><title>plugins</title>
<style>
    body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 64rem; padding: 0 1rem; color: #222; }
    table { border-collapse: collapse; width: 100%; }
    th, td { text-align: left; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #ddd; vertical-align: top; }
    td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
    code { font-size: 13px; } .bad { color: #a40000; } small { color: #666; }
    @media (prefers-color-scheme: dark) { body { background: #181818; color: #ddd; } th, td { border-color: #333; } .bad { color: #ff7b72; } }
</style>
<h1>Plugins</h1>
<table><tr><th>plugin<th class="number">calls<th>ended<th class="number">time each<th class="number">memory<th>refused</tr>
"#;

/// Writes the page.
pub(crate) fn of(chain: &Chain) -> String {
    let mut page = HEAD.to_owned();
    for stage in chain.stages() {
        page += &row(stage);
    }
    page + "</table>\n<p><small>In the order that records go through them. Replace a plugin's file, and the next record meets \
            the new one.</small></p>\n"
}

fn row(stage: &Stage) -> String {
    let kept = stage.kept();
    let mut outcomes = String::new();
    for (outcome, calls) in &kept.outcomes {
        let class = if *outcome == "done" { "" } else { " class=bad" };
        let _ = write!(outcomes, "<span{class}>{calls} {outcome}</span> ");
    }
    let mut denials = String::new();
    for (asked, allow) in &kept.denials {
        let _ = write!(denials, "{}<br><small>allow: <code>{}</code></small><br>", escaped(asked), escaped(allow));
    }
    let name = escaped(&stage.plugin.name());
    let digest: String = stage.plugin.digest().to_string().chars().take(19).collect();
    let problem = kept.not_replaced.map_or_else(String::new, |problem| {
        format!("<br><small class=bad>not replaced: {}</small>", escaped(&problem))
    });
    format!(
        "<tr><td><b>{name}</b> <small>version {}<br><code>{digest}…</code></small>{problem}<td class=number>{}<td>{outcomes}\
         <td class=number>{} µs<td class=number>{} KiB<td>{denials}</tr>\n",
        kept.versions,
        kept.calls,
        kept.cpu_ns / 1_000 / kept.calls.max(1),
        kept.memory_bytes_max / 1_024,
    )
}

/// What a plugin or its file wrote is no part of the page.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, char| {
        match char {
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '&' => escaped += "&amp;",
            '"' => escaped += "&quot;",
            _ => escaped.push(char),
        }
        escaped
    })
}
