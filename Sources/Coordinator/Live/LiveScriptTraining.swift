extension LiveScript {
    /// What a run's card shows when it is open: curves, replicas and their moves; answers and refusals.
    static let training = #"""
        class RunDetails {
          constructor(id, run) {
            this.id = id; this.have = ""; this.curves = []; this.figure = "loss"; this.asked = 0; this.movesAt = 0;
            this.element = el("div");
            if (run.iterationCount) {
              this.select = el("select", {onchange: () => { this.figure = this.select.value; this.drawChart(); }});
              this.chart = el("div");
              this.replicas = table(["Replica", "State", "Iteration", "Safe", "Figures", "It./s", "Left", "Worker"],
                "Replicas of run " + id, [1, 4, 7]);
              this.lanes = el("div");
              this.moves = table(["Replica", "Worker", "From", "To", "Since", "Until", "Outcome", "Why"],
                "Every lease on a replica, newest first", [1, 6, 7]);
              this.element.append(
                el("div", {className: "tools"}, el("label", {}, "Curve of ", this.select)), this.chart,
                this.replicas.element, el("h4", {}, "Where each replica was computed"), this.lanes,
                el("details", {}, el("summary", {}, "The same as a table"), this.moves.element));
            }
            this.refused = new Pieces(id, "refused", "Refused, and why");
            this.refused.element.hidden = true;
            this.element.append(this.refused.element);
            watchFor(this.element, this);
          }
          draw(run) {
            this.run = run;
            // An archive begins without a CT; they come.
            if (run.volumeCount && !this.answers) {
              this.answers = new Pieces(this.id, "answers", "Latest answers");
              this.element.prepend(this.answers.element);
              this.asked = 0;
            }
            this.refused.element.hidden = !run.refusedCount;
          }
          async refresh() {
            const now = Date.now();
            if (now < this.asked + 1900) return;
            this.asked = now;
            try {
              if (this.chart) await this.refreshTraining(now);
              if (this.answers) await this.answers.refresh(this.run.volumesDone);
              if (!this.refused.element.hidden) await this.refused.refresh(this.run.refusedCount);
            } catch (error) { /* The next time. */ }
          }
          async refreshTraining(now) {
            const found = await get("run?run=" + this.id + "&have=" + encodeURIComponent(this.have));
            this.have = found.have;
            if (found.more) this.asked = 0;
            if (found.curves) { this.curves = found.curves; this.drawChart(); }
            this.replicas.draw(found.replicas.map(r => [
              r.step === "train" ? String(r.replica) : r.step + " " + r.replica, r.state, whole(r.iteration),
              whole(r.checkpointIteration),
              Object.entries(r.figures || {}).sort().map(([name, v]) => name + " " + short(v)).join(", "),
              r.iterationsPerSecond ? short(r.iterationsPerSecond) : "",
              r.secondsLeft ? duration(r.secondsLeft) : "", (r.worker || "") + (r.note ? " (" + r.note + ")" : "")]));
            if (now < this.movesAt + 4900) return;
            this.movesAt = now;
            this.drawMoves(await get("moves?run=" + this.id));
          }
          drawChart() {
            const names = [...new Set(this.curves.flatMap(c => Object.keys(c.figures)))].sort();
            if ([...this.select.options].map(o => o.value).join() !== names.join()) {
              this.select.replaceChildren(...names.map(name => el("option", {value: name}, name)));
              if (!names.includes(this.figure)) this.figure = names[0] || "";
              this.select.value = this.figure;
            }
            const lines = this.curves.map(c => ({
              name: c.step === "train" ? "replica " + c.replica : c.step + " " + c.replica,
              points: pairs(c.figures[this.figure] || [])})).filter(line => line.points.length > 0);
            this.chart.replaceChildren(lines.length ? chart(lines, this.figure, this.element.clientWidth)
              : el("p", {className: "dim"}, "No figures yet; they come with each checkpoint."));
          }
          drawMoves(replicas) {
            const ended = this.run.endedAt, now = ended ? Date.parse(ended) : Date.now();
            const stays = replicas.flatMap(r => r.stays);
            const begin = Math.min(...stays.map(s => s.begin));
            const end = Math.max(...stays.map(s => s.end || now), begin + 1);
            const workers = [...new Set(stays.map(s => s.worker))];
            this.lanes.replaceChildren(...replicas.map(r => el("div", {className: "lane"},
              el("span", {}, r.step === "train" ? "replica " + r.replica : r.step + " " + r.replica),
              el("div", {role: "img", ariaLabel: r.stays.map(s => s.worker).join(", then ")}, ...r.stays.map(s => {
                const bar = el("span", {className: "stay c" + workers.indexOf(s.worker) % 7
                  + (s.isBackup ? " backup" : "") + (s.outcome && s.outcome !== "done" ? " lost" : ""),
                  title: s.worker + ", iterations " + s.from + " to " + s.to + (s.outcome ? ", " + s.outcome : "")},
                  s.worker);
                bar.style.left = 100 * (s.begin - begin) / (end - begin) + "%";
                bar.style.width = 100 * ((s.end || now) - s.begin) / (end - begin) + "%";
                return bar;
              })))));
            if (stays.length) this.lanes.append(el("p", {className: "dim"}, time(begin) + " to " + time(end)));
            const rows = replicas.flatMap(r => r.stays.map(s => [s.begin, r, s])).sort((a, b) => b[0] - a[0]);
            this.moves.draw(rows.slice(0, 100).map(([, r, s]) => [String(r.replica), s.worker, whole(s.from),
              whole(s.to), time(s.begin), s.end ? time(s.end) : "",
              s.outcome || (ended ? "the run ended" : s.isBackup ? "backup" : "goes on"), s.why]));
          }
        }
        const pairs = flat => flat.length < 2 ? [] : Array.from({length: flat.length / 2},
          (_, i) => [flat[2 * i], flat[2 * i + 1]]);

        // A mean that forgets: what a noisy loss looks like to the eye.
        function smoothed(points) {
          let mean = null;
          const share = Math.max(.08, Math.min(1, 12 / points.length));
          return points.map(([x, y]) => { mean = mean === null ? y : mean + share * (y - mean); return [x, mean]; });
        }
        function svg(tag, attributes, text) {
          const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
          for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
          if (text !== undefined) made.textContent = text;
          return made;
        }
        // Ticks at 1, 2 or 5 times a power of ten.
        function ticks(low, high) {
          const rough = (high - low) / 4 || 1, power = Math.pow(10, Math.floor(Math.log10(rough)));
          const step = [1, 2, 5, 10].map(f => f * power).find(s => s >= rough) || rough;
          const found = [];
          for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-6; i += 1) found.push(i * step + 0);
          return found;
        }
        // As wide as its place, so that its words are as large as all others.
        function chart(lines, name, place) {
          const W = Math.max(280, Math.min(1100, place || 860)), H = W < 500 ? 220 : 300;
          const L = 54, R = 12, T = 14, B = 44;
          const all = lines.flatMap(line => line.points), xs = all.map(p => p[0]);
          const xMax = Math.max(...xs), yMax = Math.max(...all.map(p => p[1]));
          const yMin = Math.min(0, ...all.map(p => p[1]));
          const x = v => L + (W - L - R) * v / (xMax || 1), y = v => T + (H - T - B) * (yMax - v) / (yMax - yMin || 1);
          const last = lines.map(line => smoothed(line.points).slice(-1)[0][1]);
          const made = svg("svg", {viewBox: "0 0 " + W + " " + H, class: "chart", role: "img", "aria-label":
            name + " of " + count(lines.length, "replica", "replicas") + " up to iteration " + whole(xMax)
            + "; smoothed, " + lines.map((line, i) => line.name + " " + short(last[i])).join(", ")});
          for (const v of ticks(yMin, yMax)) {
            made.append(svg("line", {class: "grid", x1: L, x2: W - R, y1: y(v), y2: y(v)}));
            made.append(svg("text", {x: L - 8, y: y(v) + 4, "text-anchor": "end"}, short(v)));
          }
          for (const v of ticks(0, xMax)) made.append(svg("text", {x: x(v), y: H - 24, "text-anchor": "middle"},
            whole(v)));
          made.append(svg("text", {x: (L + W - R) / 2, y: H - 5, "text-anchor": "middle"}, "iteration"));
          const path = points => points.map((p, i) => (i ? "L" : "M") + x(p[0]).toFixed(1) + " " + y(p[1]).toFixed(1))
            .join("");
          lines.forEach((line, i) => {
            made.append(svg("path", {class: "raw c" + i % 7, d: path(line.points)}));
            const smooth = smoothed(line.points), end = smooth[smooth.length - 1];
            made.append(svg("path", {class: "c" + i % 7, d: path(smooth)}));
            made.append(svg("circle", {class: "c" + i % 7, cx: x(end[0]), cy: y(end[1]), r: 4}));
          });
          const keys = el("p", {className: "facts"});
          lines.forEach((line, i) => {
            const mark = svg("svg", {viewBox: "0 0 20 10", width: 20, height: 10, "aria-hidden": "true"});
            mark.append(svg("path", {class: "c" + i % 7, d: "M0 5H20", "stroke-width": 3}));
            keys.append(mark, " " + line.name + " " + short(last[i]) + (i + 1 < lines.length ? ";  " : ""));
          });
          return el("div", {}, made, keys);
        }
        """#
}
