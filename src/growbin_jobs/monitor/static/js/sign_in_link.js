// The secret of the link stands behind the #, which is never sent; put it into the form and take it out of the address.
"use strict";
(() => {
  const secret = decodeURIComponent(location.hash.slice(1));
  if (!secret) return;
  history.replaceState(null, "", location.pathname);
  const field = document.querySelector("#sign-in-link input[name=secret]");
  field.value = secret;
  field.type = "password";
  document.querySelector("#sign-in-link button").focus();
})();
