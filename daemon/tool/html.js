'use strict';
/* Filters by level, rule and text; the state stands in the address, so
 * that a view can be sent: #level=red,orange;rule=finance/x;text=U-01 */
(function () {
    var form = document.getElementById('filter');
    var sections = Array.from(document.querySelectorAll('section.rule'));
    var boxes = Array.from(form.querySelectorAll('[name=level]'));
    var texts = new Map();
    var known = boxes.map(function (box) { return box.value; });

    function textOf(alert) {
        if (!texts.has(alert))
            texts.set(alert, alert.textContent.toLowerCase());
        return texts.get(alert);
    }

    function chosen() {
        return boxes.filter(function (box) { return box.checked; })
            .map(function (box) { return box.value; });
    }

    function filterSection(section, wanted) {
        var seen = 0;
        var all = wanted.rule === '' ||
            wanted.rule === section.dataset.rule;
        section.querySelectorAll('.alert').forEach(function (alert) {
            var level = alert.dataset.level;
            var shown = !known.includes(level) ||
                wanted.levels.includes(level);
            if (shown)
                shown = all;
            if (shown)
                shown = textOf(alert).includes(wanted.text);
            alert.hidden = !shown;
            seen += shown ? 1 : 0;
        });
        section.hidden = seen === 0;
        return seen;
    }

    function apply() {
        var wanted = {
            levels: chosen(),
            rule: form.elements.rule.value,
            text: form.elements.text.value.trim().toLowerCase()
        };
        var seen = 0;
        sections.forEach(function (section) {
            seen += filterSection(section, wanted);
        });
        document.getElementById('found').textContent = seen + ' / ' +
            document.querySelectorAll('.alert').length;
    }

    function save() {
        var parts = [];
        if (chosen().length !== boxes.length)
            parts.push('level=' + chosen().join(','));
        if (form.elements.rule.value)
            parts.push('rule=' + encodeURIComponent(
                form.elements.rule.value));
        if (form.elements.text.value.trim())
            parts.push('text=' + encodeURIComponent(
                form.elements.text.value.trim()));
        history.replaceState(null, '', '#' + parts.join(';'));
    }

    function decoded(text) {
        try {
            return decodeURIComponent(text);
        } catch (error) {
            return text;
        }
    }

    function restore() {
        var given = new Map(location.hash.slice(1).split(';').map(
            function (part) {
                var at = part.indexOf('=');
                return [part.slice(0, at), decoded(part.slice(at + 1))];
            }));
        if (given.has('level'))
            boxes.forEach(function (box) {
                box.checked = given.get('level').split(',')
                    .includes(box.value);
            });
        if (given.has('rule'))
            form.elements.rule.value = given.get('rule');
        if (given.has('text'))
            form.elements.text.value = given.get('text');
    }

    function fold(open) {
        document.querySelectorAll('.alert').forEach(function (alert) {
            alert.open = alert.hidden ? alert.open : open;
        });
    }

    function changed() {
        save();
        apply();
    }

    form.addEventListener('input', changed);
    form.addEventListener('submit', function (event) {
        event.preventDefault();
    });
    document.getElementById('unfold').addEventListener('click', function () {
        fold(true);
    });
    document.getElementById('fold').addEventListener('click', function () {
        fold(false);
    });
    window.addEventListener('hashchange', function () {
        restore();
        apply();
    });
    form.hidden = false;
    restore();
    apply();
}());
