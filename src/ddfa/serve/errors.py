"""What a caller is told when something is wrong: a status and `{"error": {"code", "message"}}`."""

from starlette.responses import JSONResponse


class ServiceError(Exception):  # not an error of ours but an answer
    """An answer that is an error.

    Args:
        status: of HTTP.
        code: one word for programs.
        message: one sentence for people, which names the fix.
        retry_s: seconds after which it may work.
    """

    def __init__(self, status: int, code: str, message: str, retry_s: int | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry_s = status, code, message, retry_s

    def response(self) -> JSONResponse:
        """The answer."""
        headers = {} if self.retry_s is None else {"Retry-After": str(self.retry_s)}
        if self.status == 401:
            headers["WWW-Authenticate"] = "X-API-Key"
        return JSONResponse(self.as_dict(), self.status, headers)

    def as_dict(self) -> dict[str, dict[str, str]]:
        """The body of the answer."""
        return {"error": {"code": self.code, "message": self.message}}


def busy() -> ServiceError:
    """Too much to do."""
    return ServiceError(429, "busy", "the service has as many requests as it takes: try again in a second", retry_s=1)


def too_large(limit: int) -> ServiceError:
    """Too many bytes."""
    return ServiceError(413, "too_large", f"a request may have {limit / 1e6:g} MB: send a smaller picture")
