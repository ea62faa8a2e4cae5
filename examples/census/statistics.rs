//! What is counted in a file.

use serde::{Deserialize, Serialize};
use syn::visit::{self, Visit};
use syn::{Block, ImplItemFn, ItemFn, ItemImpl, ItemTrait, Signature, TraitItemFn, Type};

use crate::parse;

/// What some source files consist of.
///
/// What macros are given is not looked into: only they know what its tokens mean.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Statistics {
    pub files: usize,
    /// Files that are not Rust to `syn`, such as templates and tests of the compiler's errors.
    /// Their lines count, their functions can't.
    pub unparsed: usize,
    pub lines: usize,
    /// Functions and methods that have a body.
    pub functions: usize,
    pub unsafe_blocks: usize,
    pub longest: Option<Function>,
}

/// A function and its length, from the signature to the closing brace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Function {
    pub name: String,
    /// The line that its signature begins on.
    pub line: usize,
    pub lines: usize,
}

/// The functions of a file that have a body; none where it is not Rust.
pub(crate) fn functions(source: &[u8]) -> Vec<Function> {
    let mut counter = Counter::default();
    match std::str::from_utf8(source).map(|source| parse::visit(source, &mut counter)) {
        Ok(Ok(())) => counter.functions,
        _ => Vec::new(),
    }
}

impl Statistics {
    pub(crate) fn add_file(&mut self, source: &[u8]) {
        self.files += 1;
        let mut counter = Counter::default();
        match std::str::from_utf8(source).map(|source| parse::visit(source, &mut counter)) {
            Ok(Ok(())) => {
                self.add(&counter.found);
                self.functions += counter.functions.len();
                counter
                    .functions
                    .into_iter()
                    .for_each(|function| self.offer(function));
            }
            _ => self.unparsed += 1,
        }
        self.lines += source.split_inclusive(|&byte| byte == b'\n').count();
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.files += other.files;
        self.unparsed += other.unparsed;
        self.lines += other.lines;
        self.functions += other.functions;
        self.unsafe_blocks += other.unsafe_blocks;
        if let Some(function) = &other.longest {
            self.offer(function.clone());
        }
    }

    fn offer(&mut self, function: Function) {
        let longest = self.longest.as_ref();
        if longest.is_none_or(|longest| function.lines > longest.lines) {
            self.longest = Some(function);
        }
    }
}

#[derive(Default)]
struct Counter {
    found: Statistics,
    functions: Vec<Function>,
    /// The type or trait whose functions are being visited.
    owner: Option<String>,
}

impl Counter {
    fn function(&mut self, signature: &Signature, body: &Block, visit: impl FnOnce(&mut Self)) {
        // Doc comments and attributes don't make a function longer.
        let first = signature.fn_token.span.start().line;
        let last = body.brace_token.span.close().end().line;
        // A function inside a method belongs to no type.
        let owner = self.owner.take();
        self.functions.push(Function {
            name: match &owner {
                Some(owner) => format!("{owner}::{}", signature.ident),
                None => signature.ident.to_string(),
            },
            line: first,
            lines: last - first + 1,
        });
        visit(self);
        self.owner = owner;
    }

    fn owned_by(&mut self, owner: Option<String>, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.owner, owner);
        visit(self);
        self.owner = outer;
    }
}

impl<'ast> Visit<'ast> for Counter {
    fn visit_item_fn(&mut self, node: &'ast ItemFn) {
        self.function(&node.sig, &node.block, |this| {
            visit::visit_item_fn(this, node);
        });
    }

    fn visit_impl_item_fn(&mut self, node: &'ast ImplItemFn) {
        self.function(&node.sig, &node.block, |this| {
            visit::visit_impl_item_fn(this, node);
        });
    }

    fn visit_trait_item_fn(&mut self, node: &'ast TraitItemFn) {
        match &node.default {
            Some(body) => {
                self.function(&node.sig, body, |this| {
                    visit::visit_trait_item_fn(this, node);
                });
            }
            None => visit::visit_trait_item_fn(self, node),
        }
    }

    fn visit_item_impl(&mut self, node: &'ast ItemImpl) {
        self.owned_by(type_name(&node.self_ty), |this| {
            visit::visit_item_impl(this, node);
        });
    }

    fn visit_item_trait(&mut self, node: &'ast ItemTrait) {
        let name = Some(node.ident.to_string());
        self.owned_by(name, |this| visit::visit_item_trait(this, node));
    }

    fn visit_expr_unsafe(&mut self, node: &'ast syn::ExprUnsafe) {
        self.found.unsafe_blocks += 1;
        visit::visit_expr_unsafe(self, node);
    }
}

fn type_name(of: &Type) -> Option<String> {
    match of {
        Type::Path(of) => of
            .path
            .segments
            .last()
            .map(|segment| segment.ident.to_string()),
        Type::Reference(of) => type_name(&of.elem),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: &str) -> Statistics {
        let mut statistics = Statistics::default();
        statistics.add_file(source.as_bytes());
        statistics
    }

    #[test]
    fn functions_with_a_body_count_wherever_they_stand() {
        let found = of("fn a() { fn b() {} }
            trait T { fn c(); fn d() {} }
            impl T for X { fn c() { || 1; } }
            extern \"C\" { fn e(); }");
        assert_eq!((found.functions, found.lines, found.unparsed), (4, 4, 0));
    }

    #[test]
    fn unsafe_blocks_count_and_unsafe_functions_do_not() {
        assert_eq!(
            of("unsafe fn a() { unsafe { b(unsafe { c() }) } }").unsafe_blocks,
            2
        );
    }

    #[test]
    fn the_longest_function_is_named_by_its_type() {
        let found = of("fn a() {}\nimpl<'a> m::X<'a> {\n/// Doc\nfn b() {\nfn c() {}\n}\n}");
        assert_eq!(
            found.longest,
            Some(Function {
                name: "X::b".into(),
                line: 4,
                lines: 3
            })
        );
    }

    #[test]
    fn what_is_not_rust_is_counted_as_such() {
        let mut found = of("fn a() {}\n");
        found.add_file(b"fn {{\n\n");
        found.add_file(b"// \xff\n");
        assert_eq!(
            (found.files, found.unparsed, found.lines, found.functions),
            (3, 2, 4, 1)
        );
    }
}
