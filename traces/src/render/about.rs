//! What a trace begins with: its scope and its rules, in words.

use super::changes::say;
use crate::file::{ALL_PROPERTIES, Header};
use crate::scope::Scope;
use crate::words::{Language, joined};

/// The scope and the rules in words, one a line. What the file says itself is not translated.
pub fn about_in(language: Language, header: &Header) -> Vec<String> {
    let scope = &header.scope;
    let stores = joined(&scope.stores, " ");
    let mut lines = vec![say!(language, "stores {stores}", "store {stores}")];
    lines.extend(scope.regions.iter().map(ToString::to_string));
    if scope.max_replicas > 0 {
        lines.push(of_pd(language, scope));
        let known = |region| say!(language, "PD knows {region}", "PD 所知：{region}");
        lines.extend(scope.believed.iter().map(known));
    }
    lines.extend(of_disks(language, scope));
    if !scope.question.is_empty() {
        lines.push(scope.question.clone());
    }
    if !header.source.is_empty() {
        let source = &header.source;
        lines.push(say!(language, "from {source}", "来源：{source}"));
    }
    let assumed = |words| say!(language, "assumed: {words}", "假定：{words}");
    lines.extend(header.assumptions.iter().map(assumed));
    if !header.without.is_empty() {
        let guards = header.without.join(", ");
        lines.push(say!(language, "without the guards {guards}", "关掉的 guard：{guards}"));
    }
    if header.properties.iter().any(|name| name == ALL_PROPERTIES) {
        lines.push(say!(language, "judged by every property", "按全部性质判断"));
    } else if !header.properties.is_empty() {
        let properties = header.properties.join(", ");
        lines.push(say!(language, "judged by {properties}", "按这些性质判断：{properties}"));
    }
    if !scope.setup.is_empty() {
        let many = scope.setup.len();
        lines.push(say!(language, "begins after {many} actions:", "从这 {many} 个动作之后开始："));
        lines.extend(scope.setup.iter().map(|action| format!("  {}", language.of(action))));
    }
    lines
}

fn of_pd(language: Language, scope: &Scope) -> String {
    let voters = scope.max_replicas;
    let mut pd = say!(
        language,
        "the placement driver wants {voters} voters of a region",
        "PD 要每个 region 有 {voters} 个 voter"
    );
    if !scope.full.is_empty() {
        let stores = joined(&scope.full, " ");
        pd += &say!(
            language,
            "; too full for another peer: store {stores}",
            "；放不下别的 peer：store {stores}"
        );
    }
    if !scope.low_space.is_empty() {
        let stores = joined(&scope.low_space, " ");
        pd += &say!(language, "; nearly full: store {stores}", "；快满了：store {stores}");
    }
    let (limit, waiting) = (scope.schedule_limit, scope.waiting_limit);
    if limit > 0 {
        pd += &say!(language, "; at most {limit} operators at a time", "；同时最多 {limit} 个 operator");
    }
    if waiting > 0 {
        pd += &say!(language, "; {waiting} more may wait", "；还可以有 {waiting} 个在等");
    }
    if !scope.joining.is_empty() {
        let stores = joined(&scope.joining, " ");
        pd += &say!(language, "; it does not know store {stores} yet", "；它还不知道 store {stores}");
    }
    pd
}

/// What the scope assumes of disks.
fn of_disks(language: Language, scope: &Scope) -> Vec<String> {
    let mut lines = Vec::new();
    if !scope.apply_stalled.is_empty() {
        let stores = joined(&scope.apply_stalled, " ");
        lines.push(say!(
            language,
            "nothing takes effect on store {stores}, whose disk hangs",
            "store {stores} 的磁盘卡死，那里什么都不生效"
        ));
    }
    if scope.late_persistence {
        lines.push(say!(
            language,
            "what a step writes is durable once it is persisted; a crash takes back the rest",
            "一步写下的东西落盘之后才持久；宕机会收回其余的"
        ));
    }
    if scope.unsynced_commits {
        lines.push(say!(
            language,
            "a crash reverts a commit index that was written alone",
            "宕机会收回单独写下的 commit index"
        ));
    }
    lines
}
