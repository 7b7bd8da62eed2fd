//! Rust sources read twice: by this crate and by `syn`, an independent parser. The sources are
//! the workspace's own; `SCOPE_SOURCES=FOLDER` names others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proc_macro2::Span;
use scope_source::{FunctionKind, Graphs, Language, SourceFile};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::control_flow::check_shape;

/// Line and column of the name → end of the function, decisions plus one.
type Functions = BTreeMap<(u32, u32), ((u32, u32), u32)>;

#[derive(Default)]
struct Reader {
    functions: Functions,
    decisions: Vec<u32>,
}

fn place(place: proc_macro2::LineColumn) -> (u32, u32) {
    (place.line as u32, place.column as u32 + 1)
}

impl Reader {
    fn function(&mut self, name: Span, end: Span, visit: impl FnOnce(&mut Self)) {
        self.decisions.push(0);
        visit(self);
        let decisions = self.decisions.pop().expect("pushed above");
        self.functions.insert(place(name.start()), (place(end.end()), decisions + 1));
    }

    fn count(&mut self, decisions: usize) {
        if let Some(of) = self.decisions.last_mut() {
            *of += decisions as u32;
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        let name = item.sig.ident.span();
        self.function(name, item.block.span(), |this| visit::visit_item_fn(this, item));
    }
    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        let name = item.sig.ident.span();
        self.function(name, item.block.span(), |this| visit::visit_impl_item_fn(this, item));
    }
    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(body) = &item.default {
            let name = item.sig.ident.span();
            self.function(name, body.span(), |this| visit::visit_trait_item_fn(this, item));
        }
    }
    // What a constant's value does is done before the program runs.
    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}
    fn visit_item_static(&mut self, _: &'ast syn::ItemStatic) {}
    fn visit_expr_if(&mut self, one: &'ast syn::ExprIf) {
        self.count(1);
        visit::visit_expr_if(self, one);
    }
    fn visit_expr_while(&mut self, one: &'ast syn::ExprWhile) {
        self.count(1);
        visit::visit_expr_while(self, one);
    }
    fn visit_expr_for_loop(&mut self, one: &'ast syn::ExprForLoop) {
        self.count(1);
        visit::visit_expr_for_loop(self, one);
    }
    fn visit_expr_try(&mut self, one: &'ast syn::ExprTry) {
        self.count(1);
        visit::visit_expr_try(self, one);
    }
    fn visit_expr_match(&mut self, one: &'ast syn::ExprMatch) {
        self.count(one.arms.len().saturating_sub(1));
        self.count(one.arms.iter().filter(|arm| arm.guard.is_some()).count());
        visit::visit_expr_match(self, one);
    }
    fn visit_expr_binary(&mut self, one: &'ast syn::ExprBinary) {
        if matches!(one.op, syn::BinOp::And(_) | syn::BinOp::Or(_)) {
            self.count(1);
        }
        visit::visit_expr_binary(self, one);
    }
    // A jump that is there in some builds alone has a way past it.
    fn visit_block(&mut self, block: &'ast syn::Block) {
        let expressions = block.stmts.iter().filter_map(|one| match one {
            syn::Stmt::Expr(expression, _) => Some(expression),
            _ => None,
        });
        self.count(expressions.filter(|one| is_configured(one) && jumps(one)).count());
        visit::visit_block(self, block);
    }
    fn visit_local(&mut self, one: &'ast syn::Local) {
        if one.init.as_ref().is_some_and(|init| init.diverge.is_some()) {
            self.count(1);
        }
        visit::visit_local(self, one);
    }
}

fn is_configured(expression: &syn::Expr) -> bool {
    let attributes = match expression {
        syn::Expr::Return(one) => &one.attrs,
        syn::Expr::Break(one) => &one.attrs,
        syn::Expr::Continue(one) => &one.attrs,
        syn::Expr::Block(one) => &one.attrs,
        _ => return false,
    };
    attributes.last().is_some_and(|one| one.path().is_ident("cfg"))
}

fn jumps(expression: &syn::Expr) -> bool {
    match expression {
        syn::Expr::Return(_) | syn::Expr::Break(_) | syn::Expr::Continue(_) => true,
        syn::Expr::Block(one) => {
            matches!(one.block.stmts.last(), Some(syn::Stmt::Expr(last, _)) if jumps(last))
        }
        _ => false,
    }
}

fn ours(file: &SourceFile) -> Functions {
    let graphs = Graphs::build(file);
    for (function, cfg) in file.functions().iter().zip(&graphs.control) {
        check_shape(cfg, &function.path);
    }
    let mut sums: Vec<u32> = graphs.metrics.iter().map(|one| one.cyclomatic).collect();
    for (index, function) in file.functions().iter().enumerate().rev() {
        if let Some(parent) = function.parent.filter(|_| function.kind == FunctionKind::Closure) {
            sums[parent as usize] += sums[index] - 1;
        }
    }
    let functions = file.functions().iter().zip(sums);
    functions
        .filter(|(function, _)| function.kind != FunctionKind::Closure)
        .map(|(function, sum)| {
            let (name, end) = (function.name_at, function.span.end);
            ((name.line, name.column), ((end.line, end.column), sum))
        })
        .collect()
}

fn rust_files(folder: &Path, out: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && name != "target" && name != ".git" {
            rust_files(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push(path);
        }
    }
}

#[test]
fn spans_and_decisions_agree_with_syn() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = std::env::var_os("SCOPE_SOURCES").map_or(workspace, PathBuf::from);
    let mut paths = Vec::new();
    rust_files(&folder, &mut paths);
    let (mut functions, mut wrong) = (0, Vec::new());
    let language = Language::by_name("rust").expect("known");
    for path in paths {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        // `syn` counts columns in characters; what it cannot parse cannot be compared.
        let (true, Ok(parsed)) = (text.is_ascii(), syn::parse_file(&text)) else { continue };
        let mut reader = Reader::default();
        reader.visit_file(&parsed);
        let file = SourceFile::parse("t", text.into_bytes(), language).expect("parsed");
        let found = ours(&file);
        functions += reader.functions.len();
        for (name, theirs) in &reader.functions {
            if found.get(name) != Some(theirs) {
                let path = path.display();
                wrong.push(format!("{path}:{name:?}: {:?}, syn {theirs:?}", found.get(name)));
            }
        }
        let known = found.keys().filter(|name| !reader.functions.contains_key(*name));
        wrong.extend(known.map(|name| format!("{}:{name:?}: unknown to syn", path.display())));
    }
    println!("{functions} functions, {} differ\n{}", wrong.len(), wrong.join("\n"));
    assert!(functions > 1_000, "only {functions} functions");
    assert!(wrong.is_empty(), "{} of {functions}", wrong.len());
}
