//! Certificates that are good for a test.

use std::fs;
use std::path::Path;
use std::process::Command;

pub(crate) const CA_CERTIFICATE: &str = "ca.pem";

/// An authority, and a certificate of it for `localhost` and 127.0.0.1.
pub(crate) fn make_certificates(folder: &Path) {
    let extensions = "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n";
    fs::write(folder.join("extensions"), extensions).expect("the folder can be written");
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    for arguments in [
        format!(
            "req -x509 -days 2 {key} -keyout ca.key -out {CA_CERTIFICATE} -subj /CN=test-authority"
        ),
        format!("req {key} -keyout server.key -out server.csr -subj /CN=localhost"),
        format!(
            "x509 -req -days 2 -in server.csr -CA {CA_CERTIFICATE} -CAkey ca.key -set_serial 2 -extfile extensions -out server.pem"
        ),
    ] {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(folder)
            .output()
            .expect("openssl is installed; on Debian `apt-get install openssl`");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments}: {errors}");
    }
}

/// What the server takes to use them.
pub(crate) fn options(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "--tls-cert-file {folder}/server.pem --tls-key-file {folder}/server.key \
         --tls-ca-cert-file {folder}/{CA_CERTIFICATE} --tls-auth-clients no"
    )
}
