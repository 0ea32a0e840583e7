"""The viewer page: HTML, CSS and ES modules that are served as they lie here.

`watch.html` is the page of `/watch/{videoID}`; what is under `assets/` is served at `/assets/`.
`assets/groundswell.js` is the client for other pages: it needs nothing but its two neighbours
`requests.js` and `retry.js`.
"""
