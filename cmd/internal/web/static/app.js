// What the page does beyond loading: live updates, lists that filter as one types, and the picker for
// employees. Without this each of them is a form that is sent.
(function () {
  "use strict";
  document.documentElement.classList.add("js");
  // What the page asks for by itself does not keep a session open.
  var byItself = { Automatic: "yes" };
  function load(address, headers) {
    return fetch(address, { credentials: "same-origin", headers: headers || {} }).then(function (r) {
      if (r.redirected) { location.reload(); }
      return r;
    });
  }
  function replace(id, text) {
    var fresh = new DOMParser().parseFromString(text, "text/html").getElementById(id);
    var old = document.getElementById(id);
    if (fresh && old && !old.contains(document.activeElement)) { old.replaceWith(fresh); }
    return fresh;
  }
  function later(wait, f) {
    var timer;
    return function () { clearTimeout(timer); timer = setTimeout(f, wait); };
  }

  // What is live follows the clock.
  if (document.getElementById("live") && window.EventSource) {
    var busy = false, again = false, first = true;
    var refresh = function () {
      if (busy) { again = true; return; }
      busy = true;
      load(location.href, byItself).then(function (r) { return r.text(); }).then(function (text) {
        var stamp = Date.now();
        text = text.replace(/(src|srcset)="(\/display\.png|\/pictures\/[a-z]+\.svg)\??/g, '$1="$2?automatic=' + stamp + "&amp;");
        replace("live", text);
      }).catch(function () {}).then(function () {
        busy = false;
        if (again) { again = false; setTimeout(refresh, 200); }
      });
    };
    var events = new EventSource("/events?automatic");
    events.onmessage = function () {
      if (first) { first = false; return; }
      refresh();
    };
    events.onerror = refresh; // the session may have ended
  }

  // A list filters while one types. The newest answer counts.
  document.querySelectorAll("form[data-live]").forEach(function (form) {
    var asked = 0;
    var ask = function () {
      var mine = ++asked, address = form.getAttribute("action") + "?" + new URLSearchParams(new FormData(form));
      load(address).then(function (r) { return r.text(); }).then(function (text) {
        if (mine === asked) { replace(form.dataset.live.slice(1), text); history.replaceState(null, "", address); }
      }).catch(function () {});
    };
    form.addEventListener("input", later(150, ask));
    form.addEventListener("submit", function (e) { e.preventDefault(); ask(); });
  });

  // The picker offers employees while one types: a combobox with a list, as the ARIA Authoring Practices
  // have it.
  document.querySelectorAll(".picker").forEach(function (picker, n) {
    var input = picker.querySelector("input[name=who]"), asked = 0, at = -1;
    var id = document.createElement("input"), list = document.createElement("ul");
    id.type = "hidden"; id.name = "employee";
    list.className = "options"; list.id = "options-" + n; list.hidden = true;
    list.setAttribute("role", "listbox"); list.setAttribute("aria-label", input.labels[0].textContent.trim());
    input.setAttribute("role", "combobox"); input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-controls", list.id); input.setAttribute("aria-expanded", "false");
    input.closest("label").after(id, list);
    function options() { return list.querySelectorAll("[role=option]"); }
    function show(yes) { list.hidden = !yes; input.setAttribute("aria-expanded", String(yes)); if (!yes) { mark(-1); } }
    function mark(i) {
      var all = options();
      at = i < 0 || !all.length ? -1 : i % all.length;
      all.forEach(function (o, k) { o.setAttribute("aria-selected", String(k === at)); });
      if (at >= 0) {
        input.setAttribute("aria-activedescendant", all[at].id); all[at].scrollIntoView({ block: "nearest" });
      } else { input.removeAttribute("aria-activedescendant"); }
    }
    function choose(option) {
      asked++;
      id.value = option.dataset.id; input.value = option.dataset.text; show(false);
      picker.querySelectorAll("input[type=radio]").forEach(function (r) { r.checked = false; });
    }
    function fill(answer) {
      list.replaceChildren();
      answer.people.forEach(function (p, i) {
        var o = document.createElement("li"), text = document.createElement("span"), hint = document.createElement("small");
        o.setAttribute("role", "option"); o.id = list.id + "-" + i; o.dataset.id = p.id; o.dataset.text = p.text;
        text.textContent = p.text; hint.textContent = p.hint; o.append(text, hint);
        o.addEventListener("mousedown", function (e) { e.preventDefault(); choose(o); });
        list.append(o);
      });
      if (answer.note) {
        var note = document.createElement("li");
        note.className = "note"; note.setAttribute("role", "presentation"); note.textContent = answer.note; list.append(note);
      }
      mark(-1); show(document.activeElement === input && list.childElementCount > 0);
    }
    var radios = picker.querySelectorAll("input[type=radio]");
    input.addEventListener("input", function () {
      id.value = ""; radios.forEach(function (r) { r.checked = false; });
    });
    radios.forEach(function (r) { r.addEventListener("change", function () { id.value = ""; }); });
    input.addEventListener("input", later(150, function () {
      var mine = ++asked, words = input.value.trim();
      if (!words) { show(false); return; }
      load("/people?q=" + encodeURIComponent(words)).then(function (r) { return r.json(); }).then(function (answer) {
        if (mine === asked) { fill(answer); }
      }).catch(function () {});
    }));
    input.addEventListener("keydown", function (e) {
      if (list.hidden) { return; }
      if (e.key === "ArrowDown") { mark(at + 1); } else if (e.key === "ArrowUp") { mark(at <= 0 ? options().length - 1 : at - 1); }
      else if (e.key === "Enter" && at >= 0) { choose(options()[at]); } else if (e.key === "Escape") { show(false); }
      else { return; }
      e.preventDefault();
    });
    input.addEventListener("blur", function () { show(false); });
  });

  document.querySelectorAll("button.print").forEach(function (b) { b.addEventListener("click", function () { window.print(); }); });
})();
