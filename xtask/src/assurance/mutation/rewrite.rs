//! Puts every mutant of a source file into it, each behind its switch.
//!
//! The text is spliced, not printed anew, so lines stay where they are. Mutants: an operator exchanged, a negation left
//! out, a condition turned round, a statement left out, a `bool` function that always says the same, an `Option` that is
//! always empty. Places where a constant is computed, macros' arguments, tests and audits are left alone. Tests: below.

use super::Mutant;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::ops::Range;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{BinOp, Expr, Stmt};

/// A file with its mutants in it.
#[derive(Debug)]
pub struct Rewritten {
    /// The text.
    pub text: String,
    /// What is in it.
    pub mutants: Vec<Mutant>,
    /// The number after the last one, the refused ones included.
    pub next: u32,
}

/// Rewrites `source`, numbering mutants from `first` on. Those of `refused` keep their number and are left out.
///
/// # Errors
/// When the source cannot be parsed.
pub fn rewrite(file: &str, source: &str, first: u32, refused: &BTreeSet<u32>) -> Result<Rewritten> {
    let tree = syn::parse_file(source).with_context(|| format!("cannot parse {file}"))?;
    let mut writer =
        Writer { file, source, refused, next: first, edits: Vec::new(), mutants: Vec::new(), within: vec![] };
    writer.visit_file(&tree);
    Ok(Rewritten { text: writer.spliced(), mutants: writer.mutants, next: writer.next })
}

struct Edit {
    place: Range<usize>,
    text: String,
}

struct Writer<'a> {
    file: &'a str,
    source: &'a str,
    refused: &'a BTreeSet<u32>,
    next: u32,
    edits: Vec<Edit>,
    mutants: Vec<Mutant>,
    within: Vec<String>,
}

impl Writer<'_> {
    fn spliced(&mut self) -> String {
        // Stable: of edits at one place the outer opens first and closes last, in the order they were made.
        self.edits.sort_by_key(|edit| edit.place.start);
        let (mut text, mut at) = (String::new(), 0);
        for Edit { place, text: new } in &self.edits {
            text.push_str(&self.source[at..place.start]);
            text.push_str(new);
            at = place.end;
        }
        text.push_str(&self.source[at..]);
        text
    }

    fn replace(&mut self, place: Range<usize>, text: impl Into<String>) {
        self.edits.push(Edit { place, text: text.into() });
    }

    fn insert(&mut self, at: usize, text: impl Into<String>) {
        self.replace(at..at, text);
    }

    /// The condition under which a new mutant is active; nothing if it was refused.
    fn switch(&mut self, place: &impl Spanned, to: &str) -> Option<String> {
        let number = self.next;
        self.next += 1;
        if self.refused.contains(&number) {
            return None;
        }
        let span = place.span();
        let from: Vec<&str> = self.source[span.byte_range()].split_whitespace().collect();
        self.mutants.push(Mutant {
            number,
            file: self.file.to_string(),
            line: span.start().line,
            function: self.within.join("::"),
            from: from.join(" "),
            to: to.to_string(),
        });
        Some(format!("::skerry_mutant::is({number})"))
    }

    fn function(&mut self, name: &str, signature: &syn::Signature, block: &syn::Block) {
        self.within.push(name.to_string());
        let answers: &[&str] = match &signature.output {
            syn::ReturnType::Type(_, output) => match &**output {
                syn::Type::Path(path) if path.path.is_ident("bool") => &["true", "false"],
                syn::Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Option") => {
                    &["None"]
                }
                _ => &[],
            },
            syn::ReturnType::Default => &[],
        };
        let inside = block.span().byte_range().start + 1;
        for answer in answers {
            if let Some(switch) = self.switch(&signature.ident, &format!("always {answer}")) {
                self.insert(inside, format!(" if {switch} {{ return {answer}; }}"));
            }
        }
        self.visit_block(block);
        self.within.pop();
    }

    fn binary(&mut self, expression: &syn::ExprBinary) -> bool {
        let Some((to, form)) = exchanged(&expression.op) else { return false };
        let (whole, left, right) =
            (expression.span().byte_range(), expression.left.span().byte_range(), expression.right.span().byte_range());
        let operator = self.source[expression.op.span().byte_range()].to_string();
        let Some(switch) = self.switch(expression, &format!("{operator} becomes {to}")) else { return false };
        let gap = left.end..right.start;
        match form {
            Form::Value | Form::Reference => {
                let (take, give) = if matches!(form, Form::Value) { ("", "") } else { ("&", "*") };
                self.insert(whole.start, format!("(match ({take}("));
                self.visit_expr(&expression.left);
                self.replace(gap, format!("), {take}("));
                self.visit_expr(&expression.right);
                let choice = format!("if {switch} {{ {give}l {to} {give}r }} else {{ {give}l {operator} {give}r }}");
                self.insert(whole.end, format!(")) {{ (l, r) => {choice} }})"));
            }
            Form::Lazy => {
                // `a && b` is `if a { b } else { a }`; turned round it is `a || b`, and the reverse.
                let wanted = if operator == "&&" { "" } else { "!" };
                self.insert(whole.start, "{ let l: bool = ");
                self.visit_expr(&expression.left);
                self.replace(gap, format!("; if {switch} != ({wanted}l) {{ "));
                self.visit_expr(&expression.right);
                self.insert(whole.end, " } else { l } }");
            }
            Form::Assign => {
                let target = self.source[left].to_string();
                self.insert(whole.start, "{ let r = ");
                self.replace(whole.start..right.start, "");
                self.visit_expr(&expression.right);
                let choice = format!("if {switch} {{ {target} {to} r }} else {{ {target} {operator} r }}");
                self.insert(whole.end, format!("; {choice} }}"));
            }
        }
        true
    }

    fn condition(&mut self, condition: &Expr) {
        let plain = matches!(condition, Expr::MethodCall(_) | Expr::Call(_) | Expr::Path(_) | Expr::Field(_));
        let switch = if plain { self.switch(condition, "turned round") } else { None };
        let place = condition.span().byte_range();
        if let Some(switch) = &switch {
            self.insert(place.start, format!("({switch} != ("));
        }
        self.visit_expr(condition);
        if switch.is_some() {
            self.insert(place.end, "))");
        }
    }
}

enum Form {
    /// Operands by value.
    Value,
    /// Operands by reference: they are compared.
    Reference,
    /// The right operand only if need be.
    Lazy,
    /// Into the left operand.
    Assign,
}

fn exchanged(operator: &BinOp) -> Option<(&'static str, Form)> {
    Some(match operator {
        BinOp::Add(_) => ("-", Form::Value),
        BinOp::Sub(_) => ("+", Form::Value),
        BinOp::Mul(_) => ("+", Form::Value),
        BinOp::Div(_) | BinOp::Rem(_) => ("*", Form::Value),
        BinOp::BitAnd(_) => ("|", Form::Value),
        BinOp::BitOr(_) | BinOp::BitXor(_) => ("&", Form::Value),
        BinOp::Shl(_) => (">>", Form::Value),
        BinOp::Shr(_) => ("<<", Form::Value),
        BinOp::Eq(_) => ("!=", Form::Reference),
        BinOp::Ne(_) => ("==", Form::Reference),
        BinOp::Lt(_) => ("<=", Form::Reference),
        BinOp::Le(_) => ("<", Form::Reference),
        BinOp::Gt(_) => (">=", Form::Reference),
        BinOp::Ge(_) => (">", Form::Reference),
        BinOp::And(_) => ("||", Form::Lazy),
        BinOp::Or(_) => ("&&", Form::Lazy),
        BinOp::AddAssign(_) => ("-=", Form::Assign),
        BinOp::SubAssign(_) => ("+=", Form::Assign),
        BinOp::BitAndAssign(_) => ("|=", Form::Assign),
        BinOp::BitOrAssign(_) | BinOp::BitXorAssign(_) => ("&=", Form::Assign),
        BinOp::ShlAssign(_) => (">>=", Form::Assign),
        BinOp::ShrAssign(_) => ("<<=", Form::Assign),
        _ => return None,
    })
}

/// Whether no kernel has this in it: tests, and what they ask of the code.
fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) if list.path.is_ident("cfg") => {
            let condition: String = list.tokens.to_string().split_whitespace().collect();
            condition.contains("test") || condition.contains("not(target_os=\"none\")")
        }
        _ => false,
    })
}

fn has_let(expression: &Expr) -> bool {
    match expression {
        Expr::Let(_) => true,
        Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Writer<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_impl(&mut self, block: &'ast syn::ItemImpl) {
        if !is_for_tests(&block.attrs) {
            let of = self.source[block.self_ty.span().byte_range()].to_string();
            self.within.push(of);
            visit::visit_item_impl(self, block);
            self.within.pop();
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        if !is_for_tests(&function.attrs) {
            self.function(&function.sig.ident.to_string(), &function.sig, &function.block);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !is_for_tests(&function.attrs) {
            self.function(&function.sig.ident.to_string(), &function.sig, &function.block);
        }
    }

    // Constants, types and patterns: nothing there runs.
    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}
    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}
    fn visit_item_static(&mut self, _: &'ast syn::ItemStatic) {}
    fn visit_expr_const(&mut self, _: &'ast syn::ExprConst) {}
    fn visit_type(&mut self, _: &'ast syn::Type) {}
    fn visit_pat(&mut self, _: &'ast syn::Pat) {}
    fn visit_generics(&mut self, _: &'ast syn::Generics) {}
    fn visit_item_enum(&mut self, _: &'ast syn::ItemEnum) {}
    fn visit_angle_bracketed_generic_arguments(&mut self, _: &'ast syn::AngleBracketedGenericArguments) {}
    fn visit_expr_repeat(&mut self, repeat: &'ast syn::ExprRepeat) {
        self.visit_expr(&repeat.expr);
    }

    fn visit_expr_binary(&mut self, expression: &'ast syn::ExprBinary) {
        if has_let(&expression.left) || has_let(&expression.right) || !self.binary(expression) {
            visit::visit_expr_binary(self, expression);
        }
    }

    fn visit_expr_unary(&mut self, expression: &'ast syn::ExprUnary) {
        let place = expression.span().byte_range();
        let inner = expression.expr.span().byte_range().start;
        if matches!(expression.op, syn::UnOp::Not(_))
            && let Some(switch) = self.switch(expression, "without the negation")
        {
            self.insert(place.start, "{ let v = ");
            self.replace(place.start..inner, "");
            self.visit_expr(&expression.expr);
            self.insert(place.end, format!("; if {switch} {{ v }} else {{ !v }} }}"));
        } else {
            visit::visit_expr_unary(self, expression);
        }
    }

    fn visit_expr_if(&mut self, expression: &'ast syn::ExprIf) {
        self.condition(&expression.cond);
        self.visit_block(&expression.then_branch);
        if let Some((_, otherwise)) = &expression.else_branch {
            self.visit_expr(otherwise);
        }
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        let Stmt::Expr(expression, Some(_)) = statement else { return visit::visit_stmt(self, statement) };
        let whole = matches!(expression, Expr::Call(_) | Expr::MethodCall(_) | Expr::Assign(_));
        let switch = if whole { self.switch(expression, "left out") } else { None };
        let place = statement.span().byte_range();
        if let Some(switch) = &switch {
            self.insert(place.start, format!("if !{switch} {{ "));
        }
        visit::visit_stmt(self, statement);
        if switch.is_some() {
            self.insert(place.end, " }");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(source: &str) -> Rewritten {
        rewrite("f.rs", source, 1, &BTreeSet::new()).unwrap()
    }

    #[test]
    fn nested_operators_keep_their_nesting() {
        let done = done("fn f(a: u8) -> u8 { a + 2 * a }");
        assert_eq!(done.mutants.len(), 2);
        assert_eq!(done.mutants[0].from, "a + 2 * a");
        syn::parse_file(&done.text).unwrap();
        assert!(done.text.starts_with("fn f(a: u8) -> u8 { (match ((a), ((match ((2), (a))"), "{}", done.text);
    }

    #[test]
    fn each_kind_of_place_has_its_mutants_and_still_parses() {
        let source =
            "impl T { fn f(&mut self) -> bool { if self.ok() && !self.x { self.g(); self.n += 1; } self.n == 3 } }";
        let done = done(source);
        let to: Vec<&str> = done.mutants.iter().map(|mutant| mutant.to.as_str()).collect();
        let expected = [
            "always true",
            "always false",
            "&& becomes ||",
            "without the negation",
            "left out",
            "+= becomes -=",
            "== becomes !=",
        ];
        assert_eq!(to, expected);
        assert!(done.mutants.iter().all(|mutant| mutant.function == "T::f"));
        syn::parse_file(&done.text).unwrap();
    }

    #[test]
    fn constants_tests_and_patterns_are_left_alone() {
        let source =
            "const A: u8 = 1 + 1; #[cfg(test)] mod t { fn f() { g(); } } fn h(x: [u8; 1 + 1]) { match x { _ => {} } }";
        assert_eq!(done(source).text, source);
        let audit = "#[cfg(not(target_os = \"none\"))] fn audit() { g(); }";
        assert_eq!(done(audit).text, audit);
    }

    #[test]
    fn a_refused_mutant_keeps_its_number() {
        let source = "fn f(a: u8, b: u8) -> u8 { a + (b - a) }";
        let done = rewrite("f.rs", source, 7, &BTreeSet::from([7])).unwrap();
        assert_eq!(done.mutants.iter().map(|mutant| mutant.number).collect::<Vec<_>>(), [8]);
    }
}
