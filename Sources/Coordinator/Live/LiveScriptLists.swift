extension LiveScript {
    /// Tables, a page of each: workers, answers, refusals.
    static let lists = #"""
        function table(heads, title, texts) {
          const body = el("tbody");
          const cell = (tag, text, i) => {
            const made = el(tag, texts.includes(i) ? {className: "text"} : {});
            if (text instanceof Node) made.append(text); else made.textContent = text;
            return made;
          };
          const head = heads.map((text, i) => { const c = cell("th", text, i); c.scope = "col"; return c; });
          const box = el("div", {className: "wide", tabIndex: 0, role: "region", ariaLabel: title}, el("table", {},
            el("caption", {}, title), el("thead", {}, el("tr", {}, ...head)), body));
          return {element: box, draw(rows) {
            const old = [...body.rows];
            rows.forEach((row, r) => {
              const line = old[r] || body.insertRow();
              row.forEach((value, i) => {
                const known = line.cells[i];
                if (value instanceof Node) {
                  if (known && known.firstChild && known.firstChild.dataset && known.firstChild.dataset.key
                    === value.dataset.key) return;
                  if (known) known.replaceChildren(value); else line.append(cell("td", value, i));
                } else if (known) say(known, value); else line.append(cell("td", value, i));
              });
            });
            for (const line of old.slice(rows.length)) line.remove();
          }};
        }

        // A page of a long list, with a search; asks for nothing that is not looked at.
        class Paged {
          constructor(name, title, listed, tools) {
            this.offset = 0; this.name = name; this.asking = false;
            this.search = el("input", {type: "search", size: 18, oninput: () => this.typed()});
            this.back = el("button", {type: "button", onclick: () => this.go(-1)}, "Earlier");
            this.forth = el("button", {type: "button", onclick: () => this.go(1)}, "Later");
            this.where = el("span", {className: "dim"});
            this.table = listed;
            this.tools = el("div", {className: "tools"}, el("label", {}, "Search ", this.search), ...tools,
              this.back, this.forth, this.where);
            this.element = el("section", {ariaLabel: title}, ...(title ? [el("h4", {}, title)] : []), this.tools,
              listed.element);
          }
          typed() { clearTimeout(this.timer); this.timer = setTimeout(() => { this.offset = 0; this.ask(); }, 250); }
          go(pages) { this.offset = Math.max(0, this.offset + pages * 25); this.ask(); }
          async ask() {
            if (this.asking) { this.again = true; return; }
            this.asking = true;
            try {
              const found = await get(this.path());
              this.table.draw(found.rows.map(row => this.row(row)));
              this.tell(found);
            } catch (error) {
              if (error.message !== "login") say(this.where, String(error.message).trim());
            } finally {
              this.asking = false;
              if (this.again) { this.again = false; this.ask(); }
            }
          }
          query() { return "&offset=" + this.offset + "&search=" + encodeURIComponent(this.search.value.trim()); }
        }

        class Pieces extends Paged {
          constructor(run, what, title) {
            super(what, title, what === "answers"
              ? table(["CT", "Figures", "Worker", "Seconds", "At"], title + " of run " + run, [0, 1, 2])
              : table(["Piece", "Why", "Step", "At"], title + ", run " + run, [0, 1, 2]), []);
            this.run = run; this.what = what;
          }
          // Where there is more than the last time, and some times after: it is told before it is on the disk.
          async refresh(known) {
            if (known !== this.known) { this.known = known; this.left = 3; }
            if (this.left <= 0) return;
            this.left -= 1;
            await this.ask();
          }
          path() { return "pieces?run=" + this.run + "&what=" + this.what + this.query(); }
          row(found) {
            const p = found.piece, figures = [];
            for (let i = 0; i + 1 < found.figures.length; i += 2)
              figures.push(found.figures[i] + " " + found.figures[i + 1]);
            return this.what === "answers"
              ? [p.name, figures.join(", "), p.worker || "", short(p.seconds), time(p.at)]
              : [p.name, p.report, p.step, time(p.at)];
          }
          tell(found) {
            this.back.disabled = found.offset === 0; this.forth.disabled = !found.more;
            say(this.where, found.rows.length ? whole(found.offset + 1) + " to "
              + whole(found.offset + found.rows.length) + ", newest first" : "none");
          }
        }

        class Workers extends Paged {
          constructor() {
            const choice = options => el("select", {onchange: () => { this.offset = 0; this.ask(); }},
              ...options.map(([value, text]) => el("option", {value}, text)));
            const state = choice([["", "all"], ["computing", "computing"], ["idle", "idle"], ["leaving", "leaving"],
              ["gone", "gone"]]);
            const sort = choice([["name", "name"], ["long", "longest at a piece"], ["slow", "slowest"],
              ["here", "longest here"]]);
            super("workers", "", table(["Worker", "Does", "Done", "Since", "Speed", "Here since", "Heard", ""],
              "Workers", [0, 1]), [el("label", {}, "State ", state), el("label", {}, "Order ", sort)]);
            this.state = state; this.sort = sort;
            say(this.forth, "Next"); say(this.back, "Previous");
            watchFor(this.element, this);
          }
          refresh() { return this.ask(); }
          path() { return "workers?state=" + this.state.value + "&sort=" + this.sort.value + this.query(); }
          row(w) {
            const does = !w.isConnected ? "gone" : w.work
              ? (w.isLeaving ? "leaving; " : "") + "run " + w.work.run + ", " + w.work.step + " " + w.work.name
                + (w.work.note ? " (" + w.work.note + ")" : "")
              : w.isLeaving ? "leaving" : "idle";
            const speed = w.work && w.work.iterationsPerSecond ? short(w.work.iterationsPerSecond) + " it./s"
              : w.slowness && Math.abs(w.slowness - 1) > .05 ? "takes " + short(w.slowness) + " x as usual" : "";
            return [w.name + ", " + w.device + ", " + count(w.threadCount, "thread", "threads"), does,
              w.work ? (100 * w.work.fraction).toFixed(0) + " %" : "", w.work ? duration(w.work.seconds) : "", speed,
              duration(w.hereSeconds || 0), duration(w.silentSeconds) + " ago", this.button(w)];
          }
          button(w) {
            const made = el("button", {type: "button", disabled: !w.isConnected || w.isLeaving, onclick: () =>
              act("drain " + w.name, "Ask " + w.name + " to hand its work back and to leave?", "Drain",
                w.name + " is asked to leave.")}, "Drain");
            made.setAttribute("aria-label", "Drain " + w.name);
            made.dataset.key = w.name + (made.disabled ? " off" : "");
            return made;
          }
          tell(found) {
            this.offset = found.offset;
            this.back.disabled = found.offset === 0;
            this.forth.disabled = found.offset + found.rows.length >= found.matching;
            say(this.where, (found.rows.length ? whole(found.offset + 1) + " to "
              + whole(found.offset + found.rows.length) + " of " : "none of ") + whole(found.matching)
              + (found.matching === found.total ? "" : " (of " + whole(found.total) + ")"));
          }
        }
        """#

    /// What is looked at is kept fresh; begins when everything above is there.
    static let start = #"""
        const watched = new Map();
        const eye = new IntersectionObserver(entries => {
          for (const entry of entries) {
            const one = watched.get(entry.target);
            if (!one) continue;
            one.isSeen = entry.isIntersecting;
            if (one.isSeen && !document.hidden) one.what.refresh();
          }
        });
        function watchFor(element, what) { watched.set(element, {what, isSeen: false}); eye.observe(element); }
        setInterval(() => {
          if (document.hidden || $("page").hidden) return;
          for (const [element, one] of watched) {
            if (!element.isConnected) { watched.delete(element); eye.unobserve(element); continue; }
            if (one.isSeen) one.what.refresh();
          }
        }, 2000);

        addEventListener("resize", () => {
          for (const card of cards.values()) if (card.inside && card.inside.chart) card.inside.drawChart();
        });

        let workers = null;
        async function start() {
          try { await get("workers"); } catch (error) {
            if (error.message !== "login") {
              say($("about"), "The coordinator does not answer.");
              setTimeout(start, 3000);
            }
            return;
          }
          $("login").hidden = true; $("page").hidden = false;
          if (!workers) { workers = new Workers(); $("workers").append(workers.element); }
          listen();
        }
        start();
        """#
}
