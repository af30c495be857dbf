//! What a function may return instead of what it computes.

use quote::ToTokens;
use syn::{GenericArgument, PathArguments, ReturnType, Type};

/// At most so many values of one type.
const ENOUGH: usize = 4;

/// Expressions of the type that `output` names; none where nothing is known of it.
pub fn of(output: &ReturnType) -> Vec<String> {
    match output {
        ReturnType::Default => vec!["()".into()],
        ReturnType::Type(_, ty) => of_type(ty),
    }
}

fn of_type(ty: &Type) -> Vec<String> {
    let mut values = match ty {
        Type::Tuple(tuple) if tuple.elems.is_empty() => vec!["()".into()],
        Type::Tuple(tuple) => product(tuple.elems.iter().map(of_type)),
        Type::Paren(inner) => of_type(&inner.elem),
        Type::Group(inner) => of_type(&inner.elem),
        Type::Reference(to) if to.mutability.is_none() => match &*to.elem {
            Type::Slice(_) => vec!["&[]".into()],
            Type::Path(path) if path.path.is_ident("str") => vec!["\"\"".into(), "\"xyzzy\"".into()],
            _ => vec![],
        },
        Type::Path(path) => of_path(path),
        _ => vec![],
    };
    values.truncate(ENOUGH);
    values
}

fn of_path(path: &syn::TypePath) -> Vec<String> {
    let Some(last) = path.path.segments.last() else { return vec![] };
    let inner = || match &last.arguments {
        PathArguments::AngleBracketed(arguments) => match arguments.args.first() {
            Some(GenericArgument::Type(ty)) => of_type(ty),
            _ => vec![],
        },
        _ => vec![],
    };
    let each = |with: &str| inner().into_iter().map(|value| format!("{with}({value})")).collect::<Vec<_>>();
    match last.ident.to_string().as_str() {
        "bool" => vec!["true".into(), "false".into()],
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => vec!["0".into(), "1".into()],
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => vec!["0".into(), "1".into(), "-1".into()],
        "String" => vec!["String::new()".into(), "\"xyzzy\".into()".into()],
        "Option" => [vec!["None".into()], each("Some")].concat(),
        "Result" => each("Ok"),
        "Box" => each("Box::new"),
        "Arc" => each("std::sync::Arc::new"),
        "Vec" => {
            let one = inner().into_iter().take(1).map(|value| format!("vec![{value}]"));
            ["vec![]".into()].into_iter().chain(one).collect()
        }
        _ => vec!["Default::default()".into()],
    }
}

fn product(parts: impl Iterator<Item = Vec<String>>) -> Vec<String> {
    let mut tuples = vec![String::new()];
    for values in parts {
        let longer =
            |tuple: &String| values.iter().map(|value| format!("{tuple}{value}, ")).collect::<Vec<_>>();
        tuples = tuples.iter().flat_map(longer).collect();
    }
    tuples.into_iter().map(|tuple| format!("({tuple})")).collect()
}

/// The code without its spaces, to see whether two are the same.
pub fn bare(code: &impl ToTokens) -> String {
    code.to_token_stream().to_string().split_whitespace().collect()
}
