/// The live page's script, in parts. Whatever comes from elsewhere becomes text by `textContent` and nothing else.
enum LiveScript {
    /// Making elements, words for numbers, asking the coordinator, and the login.
    static let base = #"""
        "use strict";
        const $ = id => document.getElementById(id);
        function el(tag, properties, ...children) {
          const made = document.createElement(tag);
          for (const [name, value] of Object.entries(properties || {})) {
            if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
            else if (name in made && name !== "form") made[name] = value;
            else made.setAttribute(name, value);
          }
          made.append(...children);
          return made;
        }
        // Only what has changed is touched: whoever reads along is not interrupted.
        function say(element, text) { if (element.textContent !== text) element.textContent = text; }
        const whole = value => Math.round(value).toLocaleString("en");
        const short = value => Number(Number(value).toPrecision(3)).toLocaleString("en", {maximumFractionDigits: 6});
        function duration(seconds) {
          const s = Math.max(0, Math.round(seconds));
          if (s < 60) return s + " s";
          if (s < 3600) return Math.floor(s / 60) + " min " + (s < 600 ? (s % 60) + " s" : "");
          if (s < 86400) return Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min";
          return Math.floor(s / 86400) + " d " + Math.floor(s % 86400 / 3600) + " h";
        }
        const two = number => String(number).padStart(2, "0");
        function time(milliseconds) {
          const t = new Date(milliseconds), now = new Date(Date.now());
          const clock = two(t.getHours()) + ":" + two(t.getMinutes()) + ":" + two(t.getSeconds());
          const day = t.toLocaleDateString("sv");  // 2026-03-01, in local time
          return t.toDateString() === now.toDateString() ? clock : day + " " + clock;
        }
        const count = (number, one, many) => whole(number) + " " + (number === 1 ? one : many);

        async function get(path) {
          const answer = await fetch(path, {cache: "no-store"});
          if (answer.status === 401) { logIn(); throw new Error("login"); }
          if (!answer.ok) throw new Error(await answer.text());
          return answer.json();
        }
        const post = (path, body) => fetch(path, {method: "POST", headers: {"Quintet-Page": "1"}, body: body || ""});

        let events = null;
        function logIn() {
          if (events) { events.close(); events = null; }
          $("page").hidden = true; $("logout").hidden = true; $("login").hidden = false;
          say($("about"), ""); $("problem").hidden = true;
          $("token").focus();
        }
        $("login").addEventListener("submit", async event => {
          event.preventDefault();
          say($("login-answer"), "");
          const answer = await post("login", $("token").value).catch(() => null);
          if (answer && answer.ok) { $("token").value = ""; start(); }
          else say($("login-answer"), answer ? await answer.text() : "The coordinator does not answer.");
        });
        $("logout").addEventListener("click", async () => {
          await post("logout").catch(() => null);
          location.reload();
        });

        // Asks first, and says what came of it.
        function act(wish, question, yes, done) {
          say($("ask-text"), question); say($("ask-yes"), yes);
          const dialog = $("ask"), before = document.activeElement;
          $("ask-no").onclick = () => dialog.close();
          $("ask-yes").onclick = async () => {
            dialog.close();
            const answer = await post("act", wish).catch(() => null);
            if (answer && answer.status === 401) return logIn();
            say($("said"), !answer ? "The coordinator does not answer." : answer.ok ? done
              : "Refused: " + await answer.text());
            clearTimeout(act.timer);
            act.timer = setTimeout(() => say($("said"), ""), 12000);
          };
          dialog.onclose = () => before && before.focus();
          dialog.showModal();
          $("ask-no").focus();
        }
        """#
}
