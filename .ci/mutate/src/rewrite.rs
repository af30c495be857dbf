//! A source with every mutant in it, each behind `crate::mutants::is(number)`.
//!
//! Text is put in before and behind expressions and never doubled, so a mutant may
//! lie within another, and lines stay where they are. `a == b` becomes
//! `((a == b) != is(7))`; `a && b` becomes `(((a) != m && (b) != m) != m)`, which is
//! `a || b` where `m` is true.

use std::collections::BTreeSet;
use std::ops::Range;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Arm, BinOp, Block, Expr, ExprBinary, ExprMatch, Pat, Signature, Stmt, UnOp};

use crate::values;

/// One mistake.
pub struct Mutant {
    pub number: u32,
    pub file: String,
    pub line: usize,
    pub function: String,
    /// What is different.
    pub what: String,
}

struct Insertion {
    at: usize,
    text: String,
    mutants: Vec<u32>,
}

/// What came of one file.
pub struct Rewritten {
    pub text: String,
    pub mutants: Vec<Mutant>,
    /// Where in `text` each mutant lies, from its first letter to its last.
    pub places: Vec<(u32, Range<usize>)>,
    /// Those bytes of `text` that a mutant alone has put there.
    pub inserted: Vec<(u32, Range<usize>)>,
}

struct Rewriter<'a> {
    file: &'a str,
    source: &'a str,
    next: u32,
    left_out: &'a BTreeSet<u32>,
    function: Vec<String>,
    mutants: Vec<Mutant>,
    insertions: Vec<Insertion>,
}

/// `first` is the number of the first mutant; those in `left_out` are counted and not
/// put in.
pub fn rewrite(file: &str, source: &str, first: u32, left_out: &BTreeSet<u32>) -> syn::Result<Rewritten> {
    let parsed = syn::parse_file(source)?;
    let mut rewriter = Rewriter {
        file,
        source,
        next: first,
        left_out,
        function: vec![],
        mutants: vec![],
        insertions: vec![],
    };
    rewriter.visit_file(&parsed);
    let mut insertions = rewriter.insertions;
    // Stable: what was put in at the same place stays in its order, outer before inner at
    // a beginning, inner before outer at an end.
    insertions.sort_by_key(|insertion| insertion.at);
    let (mut text, mut from) = (String::new(), 0);
    let mut inserted = vec![];
    for Insertion { at, text: new, mutants } in insertions {
        text.push_str(&source[from..at]);
        from = at;
        let start = text.len();
        text.push_str(&new);
        inserted.extend(mutants.iter().map(|number| (*number, start..text.len())));
    }
    text.push_str(&source[from..]);
    let mut places: Vec<(u32, Range<usize>)> = vec![];
    for (number, range) in &inserted {
        match places.iter_mut().find(|(known, _)| known == number) {
            Some((_, whole)) => whole.end = range.end,
            None => places.push((*number, range.clone())),
        }
    }
    Ok(Rewritten { text, mutants: rewriter.mutants, places, inserted })
}

fn is(number: u32) -> String {
    format!("crate::mutants::is({number})")
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let words = values::bare(&attribute.meta);
        words == "test" || words.contains("cfg(test)")
    })
}

fn has_let(condition: &Expr) -> bool {
    match condition {
        Expr::Let(_) => true,
        Expr::Binary(ExprBinary { left, op: BinOp::And(_), right, .. }) => has_let(left) || has_let(right),
        _ => false,
    }
}

/// A name, or a field of one: to say it twice does no harm.
fn is_place(expr: &Expr) -> bool {
    match expr {
        Expr::Path(_) => true,
        Expr::Field(field) => is_place(&field.base),
        Expr::Unary(unary) => matches!(unary.op, UnOp::Deref(_)) && is_place(&unary.expr),
        _ => false,
    }
}

impl Rewriter<'_> {
    /// A new mutant at `line`; nothing if it is left out.
    fn mutant(&mut self, place: &impl Spanned, what: String) -> Option<u32> {
        let number = self.next;
        self.next += 1;
        self.mutants.push(Mutant {
            number,
            file: self.file.to_string(),
            line: place.span().start().line,
            function: self.function.join("::"),
            what,
        });
        (!self.left_out.contains(&number)).then_some(number)
    }

    fn insert(&mut self, at: usize, text: impl Into<String>, mutants: &[u32]) {
        self.insertions.push(Insertion { at, text: text.into(), mutants: mutants.to_vec() });
    }

    fn text(&self, of: &impl Spanned) -> String {
        let words = self.source[of.span().byte_range()].split_whitespace().collect::<Vec<_>>().join(" ");
        if words.chars().count() > 60 { words.chars().take(57).chain("...".chars()).collect() } else { words }
    }

    fn function(&mut self, signature: &Signature, body: &Block) {
        if signature.constness.is_some() || signature.unsafety.is_some() {
            return;
        }
        self.function.push(signature.ident.to_string());
        let start = body.brace_token.span.open().byte_range().end;
        let was = body.stmts.iter().map(values::bare).collect::<String>();
        for value in values::of(&signature.output) {
            // It is that already, or would call itself for ever.
            let bare: String = value.split_whitespace().collect();
            let same = was == bare
                || (bare == "()" && was.is_empty())
                || (bare == "Default::default()" && signature.ident == "default");
            if same {
                continue;
            }
            if let Some(number) = self.mutant(signature, format!("return {value} at once")) {
                self.insert(start, format!(" if {} {{ return {value}; }}", is(number)), &[number]);
            }
        }
        visit::visit_block(self, body);
        self.function.pop();
    }

    /// Puts `before` and `behind` around what a visit of `expr` puts there.
    fn around(&mut self, expr: &Expr, before: String, behind: String, mutants: &[u32]) {
        let range = expr.span().byte_range();
        self.insert(range.start, before, mutants);
        visit::visit_expr(self, expr);
        self.insert(range.end, behind, mutants);
    }

    fn binary(&mut self, whole: &Expr, binary: &ExprBinary) {
        let turned = |with: &str, text: String| format!("{with} for the operator of `{text}`");
        let text = self.text(whole);
        match binary.op {
            BinOp::Eq(_) | BinOp::Ne(_) => {
                let other = if matches!(binary.op, BinOp::Eq(_)) { "!=" } else { "==" };
                if let Some(number) = self.mutant(binary, turned(other, text)) {
                    return self.around(whole, "((".into(), format!(") != {})", is(number)), &[number]);
                }
            }
            BinOp::And(_) | BinOp::Or(_) if !has_let(whole) => {
                let other = if matches!(binary.op, BinOp::And(_)) { "||" } else { "&&" };
                if let Some(number) = self.mutant(binary, turned(other, text)) {
                    let (left, right) = (binary.left.span().byte_range(), binary.right.span().byte_range());
                    let turn = format!(") != {}", is(number));
                    self.insert(left.start, "(((", &[number]);
                    self.visit_expr(&binary.left);
                    self.insert(left.end, turn.clone(), &[number]);
                    self.insert(right.start, "(", &[number]);
                    self.visit_expr(&binary.right);
                    return self.insert(right.end, format!("{turn}{turn})"), &[number]);
                }
            }
            BinOp::Lt(_) => return self.called(binary, "lt", &["<=", ">"], &text),
            BinOp::Le(_) => return self.called(binary, "le", &["<", ">"], &text),
            BinOp::Gt(_) => return self.called(binary, "gt", &[">=", "<"], &text),
            BinOp::Ge(_) => return self.called(binary, "ge", &[">", "<"], &text),
            BinOp::Add(_) => return self.called(binary, "add", &["-"], &text),
            BinOp::Sub(_) => return self.called(binary, "sub", &["+"], &text),
            BinOp::AddAssign(_) | BinOp::SubAssign(_) if is_place(&binary.left) => {
                let is_add = matches!(binary.op, BinOp::AddAssign(_));
                let (own, other) = if is_add { ("+=", "-=") } else { ("-=", "+=") };
                if let Some(number) = self.mutant(binary, turned(other, text)) {
                    let (left, right) = (binary.left.span().byte_range(), binary.right.span().byte_range());
                    let place = self.source[left.clone()].to_string();
                    // What stands there becomes a comment.
                    self.insert(left.start, "{ let by = /*", &[number]);
                    self.insert(right.start, "*/", &[number]);
                    self.visit_expr(&binary.right);
                    let both = format!(
                        "; if {} {{ {place} {other} by }} else {{ {place} {own} by }} }}",
                        is(number)
                    );
                    return self.insert(right.end, both, &[number]);
                }
            }
            _ => {}
        }
        visit::visit_expr(self, whole);
    }

    /// The operator as a function that knows its `turned` kinds.
    fn called(&mut self, binary: &ExprBinary, name: &str, turned: &[&str], text: &str) {
        let what = |with: &&str| format!("{with} for the operator of `{text}`");
        let numbers: Vec<Option<u32>> = turned.iter().map(|with| self.mutant(binary, what(with))).collect();
        let there: Vec<u32> = numbers.iter().flatten().copied().collect();
        let (left, right) = (binary.left.span().byte_range(), binary.right.span().byte_range());
        if there.is_empty() {
            self.visit_expr(&binary.left);
            return self.visit_expr(&binary.right);
        }
        // One that was left out takes a number that nobody asks for.
        let arguments: String =
            numbers.iter().map(|number| format!("{}, ", number.unwrap_or(u32::MAX))).collect();
        let by = if matches!(name, "add" | "sub") { "" } else { "&" };
        self.insert(left.start, format!("crate::mutants::{name}({arguments}{by}("), &there);
        self.visit_expr(&binary.left);
        // The operator itself becomes a comment.
        self.insert(left.end, "), /*", &there);
        self.insert(right.start, format!("*/ {by}("), &there);
        self.visit_expr(&binary.right);
        self.insert(right.end, "))", &there);
    }

    fn arm(&mut self, arm: &Arm, has_wildcard: bool) {
        if let Some((_, guard)) = &arm.guard {
            if has_let(guard) {
                return visit::visit_arm(self, arm);
            }
            let text = self.text(guard);
            let always = self.mutant(guard, format!("true for the guard `{text}`"));
            let never = self.mutant(guard, format!("false for the guard `{text}`"));
            let there: Vec<u32> = [always, never].into_iter().flatten().collect();
            let (always, never) = (always.unwrap_or(u32::MAX), never.unwrap_or(u32::MAX));
            let range = guard.span().byte_range();
            self.insert(range.start, format!("({} || (", is(always)), &there);
            self.visit_expr(guard);
            self.insert(range.end, format!(")) && !{}", is(never)), &there);
        } else if has_wildcard && !is_wildcard(&arm.pat) {
            let text = self.text(&arm.pat);
            if let Some(number) = self.mutant(arm, format!("without the arm `{text}`")) {
                self.insert(arm.pat.span().byte_range().end, format!(" if !{}", is(number)), &[number]);
            }
        }
        self.visit_expr(&arm.body);
    }
}

fn is_wildcard(pattern: &Pat) -> bool {
    match pattern {
        Pat::Wild(_) => true,
        Pat::Ident(name) => {
            name.subpat.is_none() && name.ident.to_string().starts_with(|letter: char| letter.is_lowercase())
        }
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Rewriter<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_for_tests(&item.attrs) {
            self.function(&item.sig, &item.block);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if !is_for_tests(&item.attrs) {
            self.function.push(values::bare(&item.self_ty));
            visit::visit_item_impl(self, item);
            self.function.pop();
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_for_tests(&item.attrs) {
            self.function(&item.sig, &item.block);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.function(&item.sig, body);
        }
    }

    // Nothing there is computed at run time.
    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}
    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}
    fn visit_item_static(&mut self, _: &'ast syn::ItemStatic) {}
    fn visit_item_enum(&mut self, _: &'ast syn::ItemEnum) {}
    fn visit_type(&mut self, _: &'ast syn::Type) {}
    fn visit_pat(&mut self, _: &'ast Pat) {}

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        let Stmt::Expr(expr, Some(_)) = statement else { return visit::visit_stmt(self, statement) };
        let is_assignment = |binary: &ExprBinary| {
            use BinOp::{AddAssign, BitAndAssign, BitOrAssign, SubAssign};
            matches!(binary.op, AddAssign(_) | SubAssign(_) | BitAndAssign(_) | BitOrAssign(_))
        };
        let deleted = match expr {
            Expr::Call(_) | Expr::MethodCall(_) | Expr::Assign(_) => true,
            Expr::Try(attempt) => matches!(&*attempt.expr, Expr::Call(_) | Expr::MethodCall(_)),
            Expr::Binary(binary) => is_assignment(binary),
            _ => false,
        };
        if deleted {
            let text = self.text(expr);
            if let Some(number) = self.mutant(statement, format!("without `{text}`")) {
                let range = statement.span().byte_range();
                self.insert(range.start, format!("if !{} {{ ", is(number)), &[number]);
                visit::visit_stmt(self, statement);
                return self.insert(range.end, " }", &[number]);
            }
        }
        visit::visit_stmt(self, statement);
    }

    fn visit_expr(&mut self, expr: &'ast Expr) {
        match expr {
            Expr::Binary(binary) => self.binary(expr, binary),
            Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_)) => {
                let text = self.text(expr);
                match self.mutant(unary, format!("without the `!` of `{text}`")) {
                    Some(number) => {
                        self.around(expr, "((".into(), format!(") != {})", is(number)), &[number]);
                    }
                    None => visit::visit_expr(self, expr),
                }
            }
            _ => visit::visit_expr(self, expr),
        }
    }

    fn visit_expr_match(&mut self, matched: &'ast ExprMatch) {
        self.visit_expr(&matched.expr);
        let has_wildcard =
            matched.arms.last().is_some_and(|arm| arm.guard.is_none() && is_wildcard(&arm.pat));
        for arm in &matched.arms {
            self.arm(arm, has_wildcard);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body_of(statement: &str, left_out: &[u32]) -> String {
        let source = format!("fn f() {{ {statement} }}");
        let rewritten = rewrite("f.rs", &source, 1, &left_out.iter().copied().collect()).expect("it parses");
        syn::parse_file(&rewritten.text).expect("what is written parses");
        let text = rewritten.text.replace("crate::mutants::", "");
        text.strip_prefix("fn f() { if is(1) { return (); } ")
            .unwrap_or(&text)
            .strip_suffix(" }")
            .expect("the end of it")
            .to_string()
    }

    #[test]
    fn nothing_is_said_twice() {
        assert_eq!(body_of("let x = a == b;", &[]), "let x = ((a == b) != is(2));");
        assert_eq!(body_of("let x = a && b();", &[]), "let x = (((a) != is(2) && (b()) != is(2)) != is(2));");
        assert_eq!(body_of("let x = a < b;", &[]), "let x = lt(2, 3, &(a), /* < */ &(b));");
        assert_eq!(body_of("let x = a + b;", &[]), "let x = add(2, (a), /* + */ (b));");
    }

    #[test]
    fn statements_go_and_arms_too() {
        assert_eq!(body_of("g(x);", &[]), "if !is(2) { g(x); }");
        assert_eq!(
            body_of("match x { A if y => 1, B => 2, _ => 3 }", &[]),
            "match x { A if (is(2) || (y)) && !is(3) => 1, B if !is(4) => 2, _ => 3 }"
        );
    }

    #[test]
    fn what_is_left_out_stays_as_it_was_and_keeps_its_number() {
        assert_eq!(body_of("let x = a == b && c;", &[2]), "let x = ((a == b) != is(3)) && c;");
    }

    #[test]
    fn conditions_with_let_stay_together() {
        assert_eq!(body_of("if let Some(x) = y && !z {}", &[]), "if let Some(x) = y && ((!z) != is(2)) {}");
    }
}
