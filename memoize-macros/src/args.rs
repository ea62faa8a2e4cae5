//! The attribute's options, with the places they were written at.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, Lit, LitBool, LitInt, LitStr, Path, Token, parenthesized};

use crate::diag::{Diag, closest, quoted_list};
use crate::duration;
use crate::item;

const NAMES: [&str; 14] = [
    "key",
    "expiration",
    "encrypt",
    "encryption_key",
    "compress",
    "force_overwrite",
    "cache_if",
    "share_errors",
    "skip",
    "version",
    "codec",
    "local",
    "companions",
    "crate",
];

#[derive(Default)]
pub(crate) struct Options {
    pub(crate) key: Option<LitStr>,
    pub(crate) expiration: Option<Expiration>,
    pub(crate) encrypt: bool,
    /// Of type `&Secret`, over the arguments that are in the key.
    pub(crate) encryption_key: Option<Expr>,
    pub(crate) force_overwrite: Option<Expr>,
    pub(crate) cache_if: Option<Expr>,
    /// Where it is asked for.
    pub(crate) share_errors: Option<Span>,
    pub(crate) skip: Option<Vec<Ident>>,
    pub(crate) version: Option<u32>,
    pub(crate) codec: Option<Codec>,
    pub(crate) compress: Option<bool>,
    pub(crate) local: Option<Local>,
    /// Where it is given.
    pub(crate) local_span: Option<Span>,
    pub(crate) companions: Option<Companions>,
    /// Where generated code finds `cache_memoize`, if not at `::cache_memoize`.
    pub(crate) krate: Option<Path>,
    /// The options that are written, but can't be read.
    broken: Vec<&'static str>,
}

pub(crate) enum Expiration {
    Millis(u64),
    /// An expression of type `Duration` over the arguments.
    Expr(Expr),
}

/// How values are kept in this process as they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Local {
    /// They are not: as bytes, even where they could be.
    Never,
    /// What is sealed, too.
    Always,
    /// The same, and beside a backend that doesn't tell of changes, for so many milliseconds.
    Within(u64),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    Postcard,
    Msgpack,
}

pub(crate) enum Companions {
    /// A type of this name.
    Type(Ident),
    /// Functions beside the memoized one; with the literal's span.
    Functions(Span),
    Off,
}

impl Options {
    /// Parses as many options as can be told apart, so that one mistake doesn't hide the next.
    pub(crate) fn parse(tokens: TokenStream, diag: &Diag) -> Self {
        let mut parser = Parser {
            options: Self::default(),
            seen: Vec::new(),
            diag,
        };
        let parsed = (|input: ParseStream<'_>| {
            while !input.is_empty() {
                parser.parse_option(input);
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        })
        .parse2(tokens);
        if let Err(error) = parsed {
            diag.push(error);
        }
        parser.options
    }

    /// Whether the option was written in a way that can't be read, so that nothing follows from its absence.
    pub(crate) fn is_broken(&self, name: &str) -> bool {
        self.broken.contains(&name)
    }

    pub(crate) fn skips(&self, name: &str) -> bool {
        self.skip
            .iter()
            .flatten()
            .any(|skipped| item::name(skipped) == name)
    }

    /// What is evaluated at each call, and sees the arguments.
    pub(crate) fn call_expressions(&self) -> impl Iterator<Item = &Expr> {
        let expressions = [
            self.expiration_expr(),
            self.force_overwrite.as_ref(),
            self.encryption_key.as_ref(),
        ];
        expressions.into_iter().flatten()
    }

    /// `expiration`, where it has to be evaluated at each call.
    pub(crate) fn expiration_expr(&self) -> Option<&Expr> {
        match &self.expiration {
            Some(Expiration::Expr(expr)) => Some(expr),
            _ => None,
        }
    }
}

struct Parser<'d> {
    options: Options,
    seen: Vec<&'static str>,
    diag: &'d Diag,
}

impl Parser<'_> {
    fn parse_option(&mut self, input: ParseStream<'_>) {
        let start = input.span();
        let Ok(ident) = input.call(Ident::parse_any) else {
            self.diag.error(
                start,
                "an option starts with its name; write `name = value`",
            );
            return skip_to_comma(input);
        };
        let text = ident.to_string();
        let result = match NAMES.into_iter().find(|name| *name == text) {
            Some(name) => self.parse_value(name, &ident, input),
            None => Err(unknown(&ident)),
        };
        if let Err(error) = result {
            self.diag.push(error);
            self.options.broken.extend(closest(&text, NAMES));
            skip_to_comma(input);
        }
    }

    fn parse_value(
        &mut self,
        name: &'static str,
        ident: &Ident,
        input: ParseStream<'_>,
    ) -> syn::Result<()> {
        if self.seen.contains(&name) {
            let message = format!("`{name}` is given twice; remove one");
            return Err(syn::Error::new(ident.span(), message));
        }
        self.seen.push(name);

        let options = &mut self.options;
        match name {
            "key" => options.key = Some(value(input, ident, &KEY)?),
            "expiration" => {
                options.expiration = Some(expiration(value(input, ident, &EXPIRATION)?)?);
            }
            "encrypt" => {
                require_encryption(ident)?;
                no_value(input, ident)?;
                options.encrypt = true;
            }
            "encryption_key" => {
                options.encryption_key = Some(value(input, ident, &ENCRYPTION_KEY)?);
                require_encryption(ident)?;
            }
            "force_overwrite" => {
                options.force_overwrite = Some(value(input, ident, &FORCE_OVERWRITE)?);
            }
            "share_errors" => {
                no_value(input, ident)?;
                options.share_errors = Some(ident.span());
            }
            "cache_if" => options.cache_if = Some(value(input, ident, &CACHE_IF)?),
            "skip" => options.skip = Some(skip(input, ident)?),
            "compress" => options.compress = Some(value::<LitBool>(input, ident, &COMPRESS)?.value),
            "version" => options.version = Some(version(&value(input, ident, &VERSION)?)?),
            "codec" => options.codec = Some(codec(&value(input, ident, &CODEC)?, ident)?),
            "companions" => options.companions = Some(companions(input, ident)?),
            "crate" => {
                eat_equals(input, ident, &CRATE)?;
                let path = input.call(Path::parse_mod_style);
                options.krate =
                    Some(path.map_err(|error| wrong_form(error.span(), ident, &CRATE))?);
            }
            _ => {
                options.local = Some(local(&value(input, ident, &LOCAL)?, ident)?);
                options.local_span = Some(ident.span());
            }
        }
        expect_end_of_option(input, ident)
    }
}

fn local(literal: &Lit, name: &Ident) -> syn::Result<Local> {
    match literal {
        Lit::Bool(keeps) if keeps.value => Ok(Local::Always),
        Lit::Bool(_) => Ok(Local::Never),
        Lit::Str(text) => match duration::parse(&text.value()) {
            Ok(millis) if millis > 0 => Ok(Local::Within(millis)),
            _ => Err(wrong_form(text.span(), name, &LOCAL)),
        },
        other => Err(wrong_form(other.span(), name, &LOCAL)),
    }
}

/// What an option takes, for when it is given another thing.
struct Usage {
    takes: &'static str,
    write: &'static str,
}

const KEY: Usage = Usage {
    takes: "a string",
    write: "`key = \"user:<id>\"`",
};
const EXPIRATION: Usage = Usage {
    takes: "a duration",
    write: "seconds (`3600`), a string of `w`, `d`, `h`, `m`, `s` and `ms` (`\"1h30m\"`), \
            or an expression of type `Duration`",
};
const ENCRYPTION_KEY: Usage = Usage {
    takes: "an expression of type `&Secret`",
    write: "`encryption_key = &SECRET`",
};
const FORCE_OVERWRITE: Usage = Usage {
    takes: "an expression of type `bool`",
    write: "`skip(refresh), force_overwrite = refresh`",
};
const CACHE_IF: Usage = Usage {
    takes: "a function from a reference to the value to `bool`",
    write: "`cache_if = Option::is_some`",
};
const VERSION: Usage = Usage {
    takes: "an integer",
    write: "`version = 2`",
};
const COMPANIONS: Usage = Usage {
    takes: "the name of a type, `\"functions\"` or `false`",
    write: "`companions = LoadUser`",
};
const CRATE: Usage = Usage {
    takes: "a path",
    write: "`crate = ::cache_memoize`",
};
const COMPRESS: Usage = Usage {
    takes: "`true` or `false`",
    write: "`compress = true`",
};
const CODEC: Usage = Usage {
    takes: "`\"postcard\"` or `\"msgpack\"`",
    write: "`codec = \"msgpack\"`",
};
const LOCAL: Usage = Usage {
    takes: "`true`, `false` or a duration",
    write: "`local = \"5s\"`",
};

fn codec(name: &LitStr, option: &Ident) -> syn::Result<Codec> {
    match name.value().as_str() {
        "postcard" => Ok(Codec::Postcard),
        "msgpack" if cfg!(feature = "msgpack") => Ok(Codec::Msgpack),
        "msgpack" => Err(syn::Error::new(
            name.span(),
            "`codec = \"msgpack\"` needs the feature `msgpack` of `cache-memoize`; enable it in Cargo.toml",
        )),
        _ => Err(wrong_form(name.span(), option, &CODEC)),
    }
}

/// A function that is to be sealed must not be built into a program that can't seal.
fn require_encryption(name: &Ident) -> syn::Result<()> {
    if cfg!(feature = "encrypt") {
        return Ok(());
    }
    let message = format!(
        "`{name}` needs the feature `encrypt` of `cache-memoize`, which is off; add it to `features`"
    );
    Err(syn::Error::new(name.span(), message))
}

fn no_value(input: ParseStream<'_>, name: &Ident) -> syn::Result<()> {
    if !input.peek(Token![=]) {
        return Ok(());
    }
    let ahead = input.fork();
    ahead.parse::<Token![=]>()?;
    let is_false = ahead.parse::<LitBool>().is_ok_and(|value| !value.value);
    let message = match (name.to_string().as_str(), is_false) {
        ("encrypt", false) => "`encrypt` takes no value; write `encrypt`",
        ("encrypt", true) => {
            "`encrypt` takes no value; leave it out, and the runtime's `force_encryption` still seals"
        }
        (_, false) => "`share_errors` takes no value; write `share_errors`",
        (_, true) => "`share_errors` takes no value; leave it out to not share them",
    };
    Err(syn::Error::new(name.span(), message))
}

fn expiration(expr: Expr) -> syn::Result<Expiration> {
    let expr = ungrouped(expr);
    let Expr::Lit(ExprLit { lit, .. }) = &expr else {
        if is_calculation(&expr) {
            let message = "an expiration isn't calculated; \
                           write seconds as one whole number, a text such as `\"1h\"`, or a `Duration`";
            return Err(syn::Error::new_spanned(&expr, message));
        }
        return Ok(Expiration::Expr(expr));
    };
    let millis = match lit {
        Lit::Int(secs) => secs
            .base10_parse()
            .map_err(|_| duration::Problem::TooLong)
            .and_then(duration::from_secs),
        Lit::Str(text) => duration::parse(&text.value()),
        _ => Err(duration::Problem::Malformed),
    };
    let message = match millis {
        Ok(0) => {
            "an expiration of zero keeps nothing; give a longer one, or remove `cache_memoize`"
                .to_owned()
        }
        Ok(millis) => return Ok(Expiration::Millis(millis)),
        Err(duration::Problem::TooLong) => {
            "the expiration is too long; give a shorter one".to_owned()
        }
        Err(duration::Problem::Malformed) => {
            let literal = lit.to_token_stream();
            format!("`{literal}` is not a duration; write {}", EXPIRATION.write)
        }
    };
    Err(syn::Error::new(lit.span(), message))
}

/// Whether it is made of integer literals only, as `60 * 60` is, so that it can't be a `Duration`.
fn is_calculation(expr: &Expr) -> bool {
    match expr {
        Expr::Lit(expr) => matches!(expr.lit, Lit::Int(_)),
        Expr::Binary(expr) => is_calculation(&expr.left) && is_calculation(&expr.right),
        Expr::Unary(expr) => is_calculation(&expr.expr),
        Expr::Paren(expr) => is_calculation(&expr.expr),
        Expr::Group(expr) => is_calculation(&expr.expr),
        _ => false,
    }
}

fn skip(input: ParseStream<'_>, name: &Ident) -> syn::Result<Vec<Ident>> {
    if !input.peek(syn::token::Paren) {
        let message = "`skip` takes arguments in parentheses; write `skip(db)`";
        return Err(syn::Error::new(name.span(), message));
    }
    let names;
    parenthesized!(names in input);
    let names = Punctuated::<Ident, Token![,]>::parse_terminated_with(&names, Ident::parse_any)?;
    Ok(names.into_iter().collect())
}

fn version(literal: &LitInt) -> syn::Result<u32> {
    literal.base10_parse().map_err(|_| {
        let message = format!(
            "`{literal}` is no version; versions go from `0` to `{}`",
            u32::MAX
        );
        syn::Error::new(literal.span(), message)
    })
}

fn companions(input: ParseStream<'_>, name: &Ident) -> syn::Result<Companions> {
    eat_equals(input, name, &COMPANIONS)?;
    let start = input.span();
    if let Ok(type_name) = input.parse::<Ident>() {
        return Ok(Companions::Type(type_name));
    }
    match input.parse() {
        Ok(Lit::Bool(LitBool { value: false, .. })) => Ok(Companions::Off),
        Ok(Lit::Str(text)) if text.value() == "functions" => Ok(Companions::Functions(text.span())),
        _ => Err(wrong_form(start, name, &COMPANIONS)),
    }
}

/// `= value`
fn value<T: Parse>(input: ParseStream<'_>, name: &Ident, usage: &Usage) -> syn::Result<T> {
    eat_equals(input, name, usage)?;
    let start = if input.is_empty() {
        name.span()
    } else {
        input.span()
    };
    input.parse().map_err(|_| wrong_form(start, name, usage))
}

fn eat_equals(input: ParseStream<'_>, name: &Ident, usage: &Usage) -> syn::Result<()> {
    let equals = input.parse::<Token![=]>();
    equals.map_or_else(|_| Err(wrong_form(name.span(), name, usage)), |_| Ok(()))
}

fn wrong_form(span: Span, name: &Ident, Usage { takes, write }: &Usage) -> syn::Error {
    syn::Error::new(span, format!("`{name}` takes {takes}; write {write}"))
}

fn expect_end_of_option(input: ParseStream<'_>, name: &Ident) -> syn::Result<()> {
    if input.is_empty() || input.peek(Token![,]) {
        return Ok(());
    }
    let message = format!("unexpected tokens after `{name}`; put a `,` between options");
    Err(input.error(message))
}

fn skip_to_comma(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        if input.parse::<TokenTree>().is_err() {
            return;
        }
    }
}

fn unknown(name: &Ident) -> syn::Error {
    let fix = match closest(&name.to_string(), NAMES) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("the options are {}", quoted_list(NAMES)),
    };
    syn::Error::new(name.span(), format!("unknown option `{name}`; {fix}"))
}

/// The name that an expression consists of, but for `!`, `*` and parentheses.
pub(crate) fn switch(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Path(path) if path.attrs.is_empty() => path.path.get_ident(),
        Expr::Unary(unary) => switch(&unary.expr),
        Expr::Paren(paren) => switch(&paren.expr),
        Expr::Group(group) => switch(&group.expr),
        _ => None,
    }
}

/// What `macro_rules` substitutes comes in a group of its own.
fn ungrouped(mut expr: Expr) -> Expr {
    while let Expr::Group(group) = expr {
        expr = *group.expr;
    }
    expr
}
