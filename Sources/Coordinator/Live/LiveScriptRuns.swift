extension LiveScript {
    /// The stream of changes, and a card for each run.
    static let runs = #"""
        let state = {};
        function put(key, value) {
          const parts = key.split("."), last = parts.pop();
          let place = state;
          for (const part of parts) place = place[part] || (place[part] = {});
          if (value === undefined) delete place[last]; else place[last] = value;
        }
        function listen() {
          events = new EventSource("events");
          events.addEventListener("state", event => {
            state = {};
            for (const [key, value] of Object.entries(JSON.parse(event.data))) put(key, value);
            draw();
          });
          events.addEventListener("change", event => {
            const change = JSON.parse(event.data);
            for (const [key, value] of Object.entries(change.set)) put(key, value);
            for (const key of change.gone) put(key, undefined);
            draw();
          });
          events.addEventListener("end", logIn);
          events.onopen = () => { isLive = true; about(); };
          events.onerror = () => {
            isLive = false; about();
            // Not let in, or too many listen: it does not try again by itself.
            if (events && events.readyState === EventSource.CLOSED)
              setTimeout(() => get("workers").then(() => { if (events) { events.close(); listen(); } }).catch(() => {
                if (events) { events.close(); listen(); } }), 3000);
          };
        }
        let isLive = false;
        function about() {
          say($("about"), (state.build ? "coordinator " + state.build + "; " : "")
            + (isLive ? "live" : "no connection, what is shown may be old; trying again"));
        }

        const cards = new Map();
        function draw() {
          about();
          $("logout").hidden = !state.hasLogin;
          const w = state.workers || {};
          say($("counts"), count(w.connected || 0, "worker is", "workers are") + " here, " + whole(w.computing || 0)
            + " compute" + (w.computing === 1 ? "s" : "") + (w.leaving ? ", " + whole(w.leaving) + " to leave" : "")
            + "; " + whole(w.ofUse || 0) + " could be of use now");
          const problems = state.problem ? [state.problem] : [];
          for (const a of Object.values(state.setAside || {}))
            if (a.machine) problems.push("Machine " + a.machine + " gets no work: " + a.why);
          say($("problem"), problems.join("\n")); $("problem").hidden = problems.length === 0;
          const runs = Object.entries(state.runs || {}).filter(([, run]) => run.state)
            .sort((a, b) => Number(b[0]) - Number(a[0]));
          const seen = new Set();
          let endedCount = 0, runningCount = 0;
          for (const [id, run] of runs) {
            const ended = run.state !== "running";
            if (ended) endedCount += 1; else runningCount += 1;
            let card = cards.get(id);
            if (!card) { card = new RunCard(id, !ended && runningCount <= 3); cards.set(id, card); }
            const home = $(ended ? "ended-runs" : "runs");
            if (card.element.parentNode !== home) place(home, card.element, Number(id));
            card.draw(run);
            seen.add(id);
          }
          for (const [id, card] of cards) if (!seen.has(id)) { card.element.remove(); cards.delete(id); }
          $("no-runs").hidden = runningCount > 0;
          say($("no-runs"), "None goes on.");
          $("ended").hidden = endedCount === 0;
          say($("ended-count"), whole(endedCount));
        }
        // Newest first.
        function place(home, element, id) {
          const next = [...home.children].find(other => Number(other.dataset.run) < id);
          home.insertBefore(element, next || null);
        }

        class RunCard {
          constructor(id, isOpen) {
            this.id = id;
            this.title = el("h3"); this.stand = el("span");
            this.progress = el("progress", {max: 1}); this.progress.setAttribute("aria-label", "done of run " + id);
            this.facts = el("p", {className: "facts"});
            this.problem = el("p", {className: "problem", hidden: true});
            this.pause = el("button", {type: "button", onclick: () => this.askPause()});
            this.cancel = el("button", {type: "button", className: "grave", onclick: () => this.askCancel()}, "Cancel");
            this.cancel.setAttribute("aria-label", "Cancel run " + id);
            this.more = el("details", {open: isOpen, ontoggle: () => this.opened()}, el("summary", {}, "Details"));
            this.inside = null;
            this.element = el("article", {}, el("div", {className: "top"}, this.title, this.stand, this.pause,
              this.cancel), this.progress, this.facts, this.problem, this.more);
            this.element.dataset.run = id;
          }
          draw(run) {
            this.run = run;
            say(this.title, "Run " + this.id + (run.label ? ": " + run.label : ""));
            say(this.stand, run.state === "running" ? (run.isPaused ? "paused" : "running") : run.state);
            const isRunning = run.state === "running";
            this.pause.hidden = this.cancel.hidden = !isRunning;
            say(this.pause, run.isPaused ? "Resume" : "Pause");
            this.pause.setAttribute("aria-label", this.pause.textContent + " run " + this.id);
            if (this.progress.value !== run.fraction) this.progress.value = run.fraction;
            say(this.facts, this.words(run));
            say(this.problem, run.problem || ""); this.problem.hidden = !run.problem;
            if (this.more.open && !this.inside) this.opened();
            if (this.inside) this.inside.draw(run);
          }
          words(run) {
            const parts = [run.kind + " (" + run.recipe + ")", (100 * run.fraction).toFixed(1) + " % done"];
            if (run.volumeCount) {
              parts.push(whole(run.volumesDone || 0) + " of " + count(run.volumeCount, "CT", "CTs") + " answered, "
                + whole(run.volumesRefused || 0) + " refused, " + whole(run.volumesWaiting || 0) + " waiting");
              if (run.volumesPerHour) parts.push(short(run.volumesPerHour) + " an hour");
            } else if (run.iterationCount) {
              parts.push(count(run.replicaCount, "replica", "replicas") + " of " + whole(run.iterationCount)
                + " iterations");
              if (run.iterationsPerSecond) parts.push(short(run.iterationsPerSecond) + " iterations a second");
              if (run.refusedCount) parts.push(whole(run.refusedCount) + " refused");
            }
            if (run.secondsLeft) parts.push("about " + duration(run.secondsLeft).trim() + " left");
            if (run.works && run.state === "running")
              parts.push(count(run.works.leased, "piece", "pieces") + " under way, " + whole(run.works.ready)
                + " ready");
            if (run.checks) parts.push(whole(run.checks.done || 0) + " compared, " + whole(run.checks.open || 0)
              + " to compare" + (run.checks.disputed ? ", " + whole(run.checks.disputed) + " disputed" : ""));
            if (run.submittedAt) parts.push("since " + time(Date.parse(run.submittedAt)));
            if (run.endedAt) parts.push("until " + time(Date.parse(run.endedAt)));
            if (run.submitter) parts.push("by " + run.submitter);
            if (run.priority) parts.push("priority " + run.priority);
            return parts.join("; ");
          }
          opened() {
            if (!this.more.open || !this.run) return;
            if (!this.inside) {
              this.inside = new RunDetails(this.id, this.run);
              this.more.append(this.inside.element);
            }
            this.inside.draw(this.run);
            this.inside.refresh();
          }
          askCancel() {
            act("cancel " + this.id, "Cancel run " + this.id + (this.run.label ? ", " + this.run.label : "")
              + "? What it has made is kept.", "Cancel the run", "Run " + this.id + " is cancelled.");
          }
          askPause() {
            if (this.run.isPaused) act("resume " + this.id, "Let run " + this.id + " go on?", "Resume",
              "Run " + this.id + " goes on.");
            else act("pause " + this.id, "Pause run " + this.id + "? Work that is under way ends first.", "Pause",
              "Run " + this.id + " is paused.");
          }
        }
        """#
}
