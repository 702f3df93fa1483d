import Foundation
import Platform

/// The live page itself: one file with style and script inside, without anything that is shown. Everything else comes
/// through the script, after the login.
enum LivePage {
    static let response: HTTPResponse = {
        var response = HTTPResponse(status: 200, contentType: "text/html; charset=utf-8", body: html)
        response.headers = [
            ("Content-Security-Policy", policy), ("Referrer-Policy", "no-referrer"), ("X-Frame-Options", "DENY"),
            ("Cross-Origin-Resource-Policy", "same-origin"), ("Cross-Origin-Opener-Policy", "same-origin"),
        ]
        return response
    }()

    private static let script = [
        LiveScript.base, LiveScript.runs, LiveScript.training, LiveScript.lists, LiveScript.start,
    ].joined(separator: "\n")

    /// Its own script and style by their digests, and nothing from anywhere else.
    private static let policy = [
        "default-src 'none'", "script-src \(digest(of: script))", "style-src \(digest(of: LiveStyle.text))",
        "connect-src 'self'", "img-src data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
    ].joined(separator: "; ")

    private static func digest(of text: String) -> String {
        "'sha256-\(Data(SHA256.digest(of: Array(text.utf8))).base64EncodedString())'"
    }

    /// Package for tests.
    package static let html = """
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><title>Quintet</title>
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <link rel="icon" href="data:,">
        <style>\(LiveStyle.text)</style></head><body>
        \(body)
        <script>\(script)</script>
        </body></html>

        """

    private static let body = """
        <a class="skip" href="#runs">To the runs</a>
        <header><h1>Quintet</h1><p id="about" role="status"></p>
        <button id="logout" type="button" hidden>Log out</button></header>
        <noscript><p class="problem">This page needs its script, which comes with it and from nowhere else.</p>
        </noscript>
        <p id="problem" class="problem" role="alert" hidden></p>
        <main>
        <form id="login" method="post" autocomplete="off" hidden>
        <h2>Log in</h2>
        <p>The cluster's token is the text in the file that <code>quintet token new</code> has made.</p>
        <label for="token">Token</label>
        <input id="token" type="password" autocomplete="off" spellcheck="false" required>
        <button type="submit">Log in</button>
        <p id="login-answer" role="alert"></p>
        </form>
        <div id="page" hidden>
        <p id="counts"></p>
        <section aria-labelledby="runs-title"><h2 id="runs-title">Runs</h2>
        <div id="runs"></div><p id="no-runs">None goes on.</p>
        <details id="ended"><summary>Ended runs (<span id="ended-count">0</span>)</summary><div id="ended-runs"></div>
        </details></section>
        <section id="workers" aria-labelledby="workers-title"><h2 id="workers-title">Workers</h2></section>
        </div>
        </main>
        <dialog id="ask" aria-labelledby="ask-text"><p id="ask-text"></p>
        <button id="ask-yes" type="button"></button> <button id="ask-no" type="button">No</button></dialog>
        <p id="said" role="status"></p>
        """
}
