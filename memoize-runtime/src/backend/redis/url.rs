//! Where the servers are and how to get in, from a URL.
//!
//! ```text
//! redis://[[user]:password@]host[:6379][/db]           rediss:// with TLS
//! redis+unix:///path/of/the/socket[?db=0]              also unix:
//! redis+sentinel://[..@]host[:26379],..../service[/db] rediss+sentinel:// with TLS
//! redis+cluster://[..@]host[:6379],....                rediss+cluster:// with TLS
//! ```
//!
//! `valkey` and `valkeys` stand for `redis` and `rediss`. User and password are percent-encoded. Behind a `?` may stand `protocol=resp3`, `user`, `password` and `db`, and for the
//! sentinels themselves `sentinel_user` and `sentinel_password`; with TLS `ca_certificate`, the path of a file.

use std::fmt;
use std::path::PathBuf;

use crate::error::{ConfigError, ConfigErrorKind};

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// All that a URL says.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) servers: Servers,
    pub(super) tls: bool,
    /// The file of the certificate authorities to be trusted, in place of the system's.
    pub(super) ca_certificate: Option<PathBuf>,
    pub(super) login: Login,
    pub(super) sentinel_login: Login,
    pub(super) db: u32,
    pub(super) resp3: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Servers {
    One(Address),
    /// Those that know which server is the master of a service.
    Sentinels {
        addresses: Vec<Address>,
        service: String,
    },
    /// Some of the nodes; they know the others.
    Cluster(Vec<Address>),
}

/// Where one server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Address {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
}

impl Target {
    /// # Errors
    /// What is wrong and what to write, without a word of the URL.
    pub(super) fn parse(url: &str) -> Result<Self, ConfigError> {
        parse(url).map_err(|problem| ConfigErrorKind::RedisUrl { problem }.into())
    }

    /// The scheme, as it is shown.
    pub(super) fn scheme(&self) -> &'static str {
        match (&self.servers, self.tls) {
            (Servers::One(Address::Unix(_)), _) => "redis+unix",
            (Servers::One(Address::Tcp { .. }), false) => "redis",
            (Servers::One(Address::Tcp { .. }), true) => "rediss",
            (Servers::Sentinels { .. }, false) => "redis+sentinel",
            (Servers::Sentinels { .. }, true) => "rediss+sentinel",
            (Servers::Cluster(_), false) => "redis+cluster",
            (Servers::Cluster(_), true) => "rediss+cluster",
        }
    }
}

impl Servers {
    /// The addresses that the URL names.
    pub(super) fn addresses(&self) -> &[Address] {
        match self {
            Self::One(address) => std::slice::from_ref(address),
            Self::Sentinels { addresses, .. } | Self::Cluster(addresses) => addresses,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What is wrong with a URL; a text without any part of it.
type Problem = &'static str;

const SCHEME: Problem = "is not one that Redis is known by; write `redis://host:6379/`, `rediss://..`, `redis+unix:///path`, \
     `redis+sentinel://host,host/service` or `redis+cluster://host,host`";
const NO_SCHEME: Problem = "has no scheme; write `redis://host:6379/`";
const HOST: Problem = "has no host; write `redis://host:6379/`";
const PORT_NUMBER: Problem =
    "has a port that is not a number from 1 to 65535; write `redis://host:6379/`";
const SEVERAL: Problem =
    "has several hosts; write `redis+cluster://host,host` or `redis+sentinel://host,host/service`";
const SERVICE: Problem =
    "doesn't say which service of the sentinels; write `redis+sentinel://host,host/service`";
const DATABASE: Problem = "has a database that is not a number; write `redis://host:6379/0`";
const CLUSTER_DATABASE: Problem = "has a database, and a cluster has only one; leave it out";
const SOCKET: Problem =
    "has no absolute path of a socket; write `redis+unix:///path/of/the/socket`";
const PARAMETER: Problem = "has a parameter that is not known; write `protocol=resp3`, `user`, `password`, `db`, `sentinel_user`, \
     `sentinel_password` or `ca_certificate`";
const PROTOCOL: Problem =
    "has a `protocol` that is not known; write `protocol=resp2` or `protocol=resp3`";
const ENCODING: Problem = "holds a `%` that two hexadecimal digits of UTF-8 don't follow; write `%25` for a `%`, and percent-encode \
     user and password";
const CUT: Problem =
    "has its `@` behind a `/` or `?`; percent-encode user and password, a `/` as `%2F`";
const PASSWORD: Problem = "has a user without a password; write `redis://user:password@host/`, or `redis://:password@host/`";
const NO_TLS: Problem = "asks for TLS, which this build doesn't have; enable the feature `redis-tls` of `cache-memoize`";
const CA_WITHOUT_TLS: Problem =
    "has a `ca_certificate` and asks for no TLS; write `rediss://`, or leave it out";
const NO_UNIX: Problem =
    "asks for a Unix socket, which this system doesn't have; write `redis://host:6379/`";

fn parse(url: &str) -> Result<Target, Problem> {
    let (scheme, rest) = url.split_once(':').ok_or(NO_SCHEME)?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let scheme = scheme.to_ascii_lowercase();
    let scheme = match scheme.strip_prefix("valkey") {
        Some(rest) => format!("redis{rest}"),
        None => scheme,
    };
    let (tls, kind) = match scheme.strip_prefix("rediss") {
        Some(kind) => (true, kind),
        None if scheme == "unix" => (false, "+unix"),
        None if !scheme.starts_with("redis") && !url.contains("://") => return Err(NO_SCHEME),
        None => (false, scheme.strip_prefix("redis").ok_or(SCHEME)?),
    };
    if tls && !cfg!(feature = "redis-tls") {
        return Err(NO_TLS);
    }
    let mut target = match kind {
        "+unix" if tls => return Err(SCHEME),
        "+unix" => socket(rest)?,
        "" | "+sentinel" | "+cluster" => network(kind, rest).map_err(|problem| {
            // What is made at random often holds a `/`.
            let authority = rest.trim_start_matches('/').split('/').next();
            let is_whole = authority.is_some_and(|authority| authority.contains('@'));
            let is_cut = !is_whole && (rest.contains('@') || query.contains('@'));
            if is_cut { CUT } else { problem }
        })?,
        _ => return Err(SCHEME),
    };
    target.tls = tls;
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        set(&mut target, parameter)?;
    }
    if target.ca_certificate.is_some() && !tls {
        return Err(CA_WITHOUT_TLS);
    }
    let is_cluster = matches!(target.servers, Servers::Cluster(_));
    if is_cluster && target.db != 0 {
        return Err(CLUSTER_DATABASE);
    }
    for login in [&target.login, &target.sentinel_login] {
        if login.user.is_some() && login.password.is_none() {
            return Err(PASSWORD);
        }
    }
    Ok(target)
}

fn socket(rest: &str) -> Result<Target, Problem> {
    if !cfg!(unix) {
        return Err(NO_UNIX);
    }
    // An empty authority may stand before the path.
    let path = decoded(rest.strip_prefix("//").unwrap_or(rest))?;
    if !path.starts_with('/') {
        return Err(SOCKET);
    }
    Ok(Target::of(Servers::One(Address::Unix(path.into()))))
}

fn network(kind: &str, rest: &str) -> Result<Target, Problem> {
    let rest = rest.strip_prefix("//").ok_or(HOST)?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    // What is before the last `@` is the login: hosts can't hold one, passwords often do.
    let (login, hosts) = match authority.rsplit_once('@') {
        Some((login, hosts)) => (Some(login), hosts),
        None => (None, authority),
    };
    let port = if kind == "+sentinel" {
        SENTINEL_PORT
    } else {
        PORT
    };
    let mut addresses = hosts
        .split(',')
        .map(|host| address(host, port))
        .collect::<Result<Vec<_>, _>>()?;
    let mut path = path.split('/').filter(|part| !part.is_empty());
    let servers = match kind {
        "+sentinel" => Servers::Sentinels {
            addresses,
            service: decoded(path.next().ok_or(SERVICE)?)?,
        },
        "+cluster" => Servers::Cluster(addresses),
        _ if addresses.len() > 1 => return Err(SEVERAL),
        _ => Servers::One(addresses.remove(0)),
    };
    let mut target = Target::of(servers);
    if let Some(db) = path.next() {
        target.db = database(db)?;
    }
    if path.next().is_some() {
        return Err(DATABASE);
    }
    if let Some(login) = login {
        let (user, password) = login.split_once(':').ok_or(PASSWORD)?;
        target.login = Login {
            user: Some(decoded(user)?).filter(|user| !user.is_empty()),
            password: Some(decoded(password)?).filter(|password| !password.is_empty()),
        };
    }
    Ok(target)
}

impl Target {
    fn of(servers: Servers) -> Self {
        Self {
            servers,
            tls: false,
            ca_certificate: None,
            login: Login::default(),
            sentinel_login: Login::default(),
            db: 0,
            resp3: false,
        }
    }
}

fn address(text: &str, default_port: u16) -> Result<Address, Problem> {
    let (host, port) = match text.strip_prefix('[') {
        Some(literal) => {
            let (host, port) = literal.split_once(']').ok_or(HOST)?;
            (host, port.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        None => default_port,
        Some(port) => port
            .parse()
            .ok()
            .filter(|&port| port > 0)
            .ok_or(PORT_NUMBER)?,
    };
    if host.is_empty() {
        return Err(HOST);
    }
    let host = host.to_owned();
    Ok(Address::Tcp { host, port })
}

fn database(text: &str) -> Result<u32, Problem> {
    text.parse().map_err(|_| DATABASE)
}

fn set(target: &mut Target, parameter: &str) -> Result<(), Problem> {
    let (name, value) = parameter.split_once('=').ok_or(PARAMETER)?;
    let value = decoded(value)?;
    match name {
        "db" => target.db = database(&value)?,
        "user" => target.login.user = Some(value),
        "password" => target.login.password = Some(value),
        "sentinel_user" => target.sentinel_login.user = Some(value),
        "sentinel_password" => target.sentinel_login.password = Some(value),
        "ca_certificate" => target.ca_certificate = Some(value.into()),
        "protocol" => {
            target.resp3 = match &*value {
                "resp3" | "3" => true,
                "resp2" | "2" => false,
                _ => return Err(PROTOCOL),
            }
        }
        _ => return Err(PARAMETER),
    }
    Ok(())
}

fn decoded(text: &str) -> Result<String, Problem> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, after @ ..] = rest else {
            return Err(ENCODING);
        };
        bytes.push(digit(*high)? << 4 | digit(*low)?);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| ENCODING)
}

fn digit(byte: u8) -> Result<u8, Problem> {
    let digit = char::from(byte).to_digit(16).ok_or(ENCODING)?;
    u8::try_from(digit).map_err(|_| ENCODING)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Address, Login, Servers, Target};

    fn tcp(host: &str, port: u16) -> Address {
        let host = host.to_owned();
        Address::Tcp { host, port }
    }

    fn login(user: Option<&str>, password: &str) -> Login {
        Login {
            user: user.map(str::to_owned),
            password: Some(password.to_owned()),
        }
    }

    fn parse(url: &str) -> Target {
        Target::parse(url).expect(url)
    }

    #[test]
    fn one_server() {
        assert!(parse("redis://host").servers == Servers::One(tcp("host", 6379)));
        assert!(parse("REDIS://host:1/").servers == Servers::One(tcp("host", 1)));
        assert!(parse("valkey://host:1") == parse("redis://host:1"));
        assert!(parse("valkey+cluster://a,b") == parse("redis+cluster://a,b"));
        assert!(parse("redis://[::1]:7").servers == Servers::One(tcp("::1", 7)));
        assert!(parse("redis://[::1]").servers == Servers::One(tcp("::1", 6379)));
        let full = parse("redis://us%40er:p%3Ass@word@host:7000/3?protocol=resp3");
        assert!(full.servers == Servers::One(tcp("host", 7000)));
        assert!(full.login == login(Some("us@er"), "p:ss@word"));
        assert!((full.db, full.resp3, full.tls) == (3, true, false));
        assert!(parse("redis://:word@host").login == login(None, "word"));
        assert!(parse("redis://:@host").login == Login::default());
    }

    #[cfg(unix)]
    #[test]
    fn a_socket() {
        for url in ["redis+unix:///run/my%20redis", "unix:/run/my redis"] {
            let socket = parse(url).servers;
            assert!(socket == Servers::One(Address::Unix("/run/my redis".into())));
        }
        let full = parse("unix:///run/redis?db=2&user=me&password=w%26rd");
        assert!(full.login == login(Some("me"), "w&rd") && full.db == 2);
    }

    #[test]
    fn several_servers() {
        let sentinels = parse("redis+sentinel://:word@a,b:1/main/2?sentinel_password=other");
        let addresses = vec![tcp("a", 26379), tcp("b", 1)];
        let service = "main".to_owned();
        assert!(sentinels.servers == Servers::Sentinels { addresses, service });
        assert!(sentinels.login == login(None, "word") && sentinels.db == 2);
        assert!(sentinels.sentinel_login == login(None, "other"));
        let cluster = parse("redis+cluster://a,b:1").servers;
        assert!(cluster == Servers::Cluster(vec![tcp("a", 6379), tcp("b", 1)]));
    }

    #[test]
    fn tls_takes_its_feature() {
        let parsed = Target::parse("valkeys://host");
        if cfg!(feature = "redis-tls") {
            assert!(parsed.expect("TLS is built").tls);
            let trusting = parse("rediss://host?ca_certificate=/my%20ca.pem").ca_certificate;
            assert_eq!(trusting.as_deref(), Some(Path::new("/my ca.pem")));
        } else {
            let error = parsed.err().expect("there is no TLS").to_string();
            assert!(error.contains("`redis-tls`"), "{error}");
        }
    }

    #[test]
    fn says_what_is_wrong_and_repeats_nothing() {
        for (url, part) in [
            ("hunter2", "no scheme"),
            ("hunter2:6379", "no scheme"),
            ("http://hunter2", "redis://host"),
            ("redis+hunter2://", "redis://host"),
            ("redis:hunter2", "no host"),
            ("redis://:hunter2@", "no host"),
            ("redis://:hunter2@host:0", "port"),
            ("redis://:hunter2@host:hunter2", "port"),
            ("redis://:hunter2@a,b", "several hosts"),
            ("redis://:hunter2@host/x", "database"),
            ("redis://:hunter2@host/1/2", "database"),
            ("redis+cluster://:hunter2@host/1", "only one"),
            ("redis+sentinel://:hunter2@host", "service"),
            ("redis://hunter2@host", "without a password"),
            ("redis://host?user=hunter2", "without a password"),
            ("redis://:hunter2%@host", "`%`"),
            ("redis://me:hunter2/word@host", "percent-encode"),
            ("redis://me:1/hunter2@host:1/0", "percent-encode"),
            ("redis://me:hunter2?@host", "percent-encode"),
            ("redis://:%FFhunter2@host", "`%`"),
            ("redis://host?hunter2=1", "parameter"),
            ("redis://host?protocol=hunter2", "`protocol`"),
            ("redis://host?ca_certificate=hunter2", "asks for no TLS"),
            ("redis+unix://hunter2", "path"),
        ] {
            let error = Target::parse(url).err().expect(url).to_string();
            assert!(error.contains(part), "{url}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
