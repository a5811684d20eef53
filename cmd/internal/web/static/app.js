// Live updates; without this the page is as it was when it was loaded.
(function () {
  "use strict";
  if (!document.getElementById("live") || !window.EventSource) { return; }
  var busy = false, again = false;
  function refresh() {
    if (busy) { again = true; return; }
    busy = true;
    fetch(location.href, { credentials: "same-origin", headers: { Automatic: "yes" } }).then(function (r) {
      if (r.redirected) { location.reload(); }
      return r.text();
    }).then(function (text) {
      var fresh = new DOMParser().parseFromString(text, "text/html").getElementById("live");
      var old = document.getElementById("live");
      if (fresh && old && !old.contains(document.activeElement)) {
        fresh.querySelectorAll("img").forEach(function (img) { img.src = img.getAttribute("src") + "?automatic=" + Date.now(); });
        old.replaceWith(fresh);
      }
    }).catch(function () {}).then(function () {
      busy = false;
      if (again) { again = false; setTimeout(refresh, 200); }
    });
  }
  var first = true;
  var events = new EventSource("/events?automatic");
  events.onmessage = function () {
    if (first) { first = false; return; }
    refresh();
  };
  events.onerror = refresh; // the session may have ended
})();
